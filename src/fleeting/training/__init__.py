"""Training: one engine for every network, checkpoints, and an estimator with scikit-learn's contract."""

from fleeting.training.checkpoint import TrainedModel, load_model, save_model
from fleeting.training.collapse import CollapseReport
from fleeting.training.config import TrainingConfig
from fleeting.training.data import SequenceFiles, Standardisation
from fleeting.training.device import keep_memory
from fleeting.training.engine import DivergedError, TrainingResult, predict_proba, train
from fleeting.training.estimator import MicroExpressionClassifier
from fleeting.training.optim import SGD, Adam

__all__ = [
    "SGD",
    "Adam",
    "CollapseReport",
    "DivergedError",
    "MicroExpressionClassifier",
    "SequenceFiles",
    "Standardisation",
    "TrainedModel",
    "TrainingConfig",
    "TrainingResult",
    "keep_memory",
    "load_model",
    "predict_proba",
    "save_model",
    "train",
]
