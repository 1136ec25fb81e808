"""Train convolutional networks from YAML recipes: check, train, evaluate and export them.

Importing this package is cheap: no numpy, Keras or TensorFlow until a verb needs them.
"""

__version__ = "0.1.0"
