"""Named blocks of a recipe: `model.blocks`, with parameters, and their uses in its stacks. Light.

A block is a stack of stages in which `$NAME` stands for a parameter. `expand` writes each use out,
in plain data, before the schema checks them: from there on a recipe knows no blocks. Every place of
the expanded data knows where it stands in the recipe as given (`Origin`), so that a problem is told
there.

    definitions.py   reads model.blocks, and checks each block by itself
    parameters.py    `$filters`, `$filters * 4`
    nodes.py         values with their origins
    expansion.py     writes the uses out
    expanded.py      what that gives: data, and where each value was written
    places.py        paths of parameters, for --set and tune.space
"""

from zoo.recipe.blocks.expanded import Expansion
from zoo.recipe.blocks.expansion import expand
from zoo.recipe.blocks.nodes import Origin

__all__ = ["Expansion", "Origin", "expand"]
