import os

# Keras reads it when it is imported; other rooms' tests never import Keras.
os.environ["KERAS_BACKEND"] = "torch"
