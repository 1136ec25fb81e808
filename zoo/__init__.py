"""Train convolutional networks from YAML recipes: check, train, evaluate and export them.

Importing this package is cheap: no numpy, Keras or TensorFlow until a verb needs them.
"""

from zoo.version import __version__ as __version__
