"""Keras' side of steps.py: the same networks as their papers' authors would write them. Knows nothing of Fleeting."""

import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf
from _serve import peak_mib, serve, timed
from keras import layers


def block(filters, name):
    return [
        layers.Conv3D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"{name}-conv"
        ),
        layers.BatchNormalization(name=f"{name}-norm"),
        layers.MaxPooling3D(3),
    ]


def hidden(units, name, dropout):
    return [
        layers.Dense(units, activation="relu", name=name),
        layers.Dropout(dropout),
        layers.Dense(3, name="output"),
    ]


def network(name):
    """Layers, named as Fleeting names its own, with - for the dots."""
    return {
        "model_a": lambda: [
            *block(16, "blocks-0"),
            layers.Dropout(0.4),
            *block(16, "blocks-1"),
            layers.Dropout(0.4),
            layers.Flatten(),
            *hidden(128, "hidden", 0.4),
        ],
        "model_b": lambda: [
            layers.Conv3D(32, (15, 3, 3), activation="relu", name="block-conv"),
            layers.MaxPooling3D(3),
            layers.Dropout(0.5),
            layers.Flatten(),
            *hidden(128, "hidden-0", 0.5),
        ],
        "model_c": lambda: [
            *block(32, "block"),
            layers.MaxPooling3D(3),
            layers.Dropout(0.5),
            layers.Flatten(),
            *hidden(128, "hidden-0", 0.5),
        ],
        "modified_micro_exp_stcnn": lambda: [
            layers.Conv3D(32, 3, activation="relu", name="block-conv"),
            layers.MaxPooling3D(3),
            layers.Dropout(0.3),
            layers.MaxPooling3D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dropout(0.3),
            *hidden(32, "hidden-0", 0.3),
        ],
    }[name]()


def optimizer(name):
    return {
        "model_a": lambda: keras.optimizers.SGD(0.001, momentum=0.9),
        "model_b": lambda: keras.optimizers.SGD(0.01),
        "model_c": lambda: keras.optimizers.SGD(
            keras.optimizers.schedules.InverseTimeDecay(0.001, decay_steps=1, decay_rate=1e-6),
            momentum=0.9,
            nesterov=True,
        ),
        "modified_micro_exp_stcnn": lambda: keras.optimizers.Adam(0.001),
    }[name]()


class Stack:
    def __init__(self, name, size, batch, xla=False):
        self.batch, self.size = batch, size
        self.model = keras.Sequential([keras.Input((*size, 1)), *network(name)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer(name), loss, jit_compile=xla)
        self.predict = tf.function(lambda x: tf.nn.softmax(self.model(x, training=False)), jit_compile=xla)
        self.batches = {}

    def samples(self, count):
        if count not in self.batches:
            self.batches[count] = np.random.default_rng(1).normal(size=(count, *self.size, 1)).astype(np.float32)
        return self.batches[count]

    def train(self, steps):
        x, y = self.samples(self.batch), np.arange(self.batch) % 3
        return {"ms": timed(lambda: self.model.train_on_batch(x, y), steps), "peak": peak_mib()}

    def infer(self, batch, times):
        x = tf.constant(self.samples(batch))
        return {"ms": timed(lambda: self.predict(x).numpy(), times), "peak": peak_mib()}

    network = infer

    def agree(self, path):
        with np.load(path) as file:
            for layer in self.model.layers:
                parts = ["weight", "bias"]
                if isinstance(layer, layers.BatchNormalization):
                    parts += ["running_mean", "running_var"]
                if layer.weights:
                    prefix = f"weights/{layer.name.replace('-', '.')}"
                    values = [file[f"{prefix}.{part}"] for part in parts]
                    order = {5: (2, 3, 4, 1, 0), 2: (1, 0), 1: (0,)}
                    layer.set_weights([value.transpose(order[value.ndim]) for value in values])
            ours, theirs = self.model(file["x"].transpose(0, 2, 3, 4, 1), training=False).numpy(), file["logits"]
            return {"difference": float(np.abs(ours - theirs).max() / np.abs(theirs).max())}


def onednn():
    try:
        from tensorflow.python.util import _pywrap_util_port

        return "on" if _pywrap_util_port.IsMklEnabled() else "off"
    except (ImportError, AttributeError):
        return "not known"


def main():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    stack = Stack(**json.loads(sys.argv[1]))
    setting = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset")
    about = (
        f"Keras {keras.__version__}, TensorFlow {tf.__version__}, TF_ENABLE_ONEDNN_OPTS={setting}: oneDNN {onednn()}"
    )
    serve(about, {name: getattr(stack, name) for name in ("train", "infer", "network", "agree")})


if __name__ == "__main__":
    main()
