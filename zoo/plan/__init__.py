"""From a recipe to the list of its layers: names, shapes, parameters, FLOPs. No TensorFlow.

`model.build` makes exactly these layers, so what `zoo show` prints is what Keras trains.
`problems` and `cautions` check a recipe whose words are valid, before any data are loaded.
"""

from zoo.plan.checks import cautions, problems
from zoo.plan.classes import class_names, num_classes
from zoo.plan.layer import Layer, Plan
from zoo.plan.planner import plan

__all__ = ["Layer", "Plan", "cautions", "class_names", "num_classes", "plan", "problems"]
