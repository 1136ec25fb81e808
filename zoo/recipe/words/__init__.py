"""The words of a recipe in plain tables: what each means, its options, its name in Keras.

A new activation, initializer, pool, optimizer, schedule or augmentation is an entry here, and code
in `model.layers`, `losses`, `optimize` or `augment` where Keras lacks it. The schema, `zoo schema`,
docs/recipe.md and the model builder read these tables.
"""

from zoo.recipe.words.data import AUGMENTATIONS, MIXING, PREPROCESSINGS
from zoo.recipe.words.network import ACTIVATIONS, GLOBAL_POOLS, INITIALIZERS, ORDER, POOLS
from zoo.recipe.words.optimizers import OPTIMIZERS
from zoo.recipe.words.synonyms import REMARKS, SYNONYMS
from zoo.recipe.words.training import CLASS_WEIGHTS, LOSSES, SCHEDULES
from zoo.recipe.words.word import REQUIRED, ActivationWord, Option, Word

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "CLASS_WEIGHTS",
    "GLOBAL_POOLS",
    "INITIALIZERS",
    "LOSSES",
    "MIXING",
    "OPTIMIZERS",
    "ORDER",
    "POOLS",
    "PREPROCESSINGS",
    "REQUIRED",
    "SCHEDULES",
    "REMARKS",
    "SYNONYMS",
    "ActivationWord",
    "Option",
    "Word",
]
