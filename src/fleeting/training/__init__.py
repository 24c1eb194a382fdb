"""Training: one engine for every network, checkpoints, and an estimator with scikit-learn's contract."""

from typing import TYPE_CHECKING, Any

from fleeting.training.checkpoint import TrainedModel, load_model, save_model
from fleeting.training.collapse import CollapseReport
from fleeting.training.config import TrainingConfig
from fleeting.training.data import SequenceFiles, Standardisation
from fleeting.training.device import keep_memory
from fleeting.training.engine import train
from fleeting.training.export import export_onnx
from fleeting.training.optim import SGD, Adam
from fleeting.training.prediction import predict_proba
from fleeting.training.result import DivergedError, TrainingResult

if TYPE_CHECKING:
    from fleeting.training.estimator import MicroExpressionClassifier

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
    "export_onnx",
    "keep_memory",
    "load_model",
    "predict_proba",
    "save_model",
    "train",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes 65 MB, which no process that only trains has a use for.
    if name == "MicroExpressionClassifier":
        from fleeting.training.estimator import MicroExpressionClassifier

        return MicroExpressionClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
