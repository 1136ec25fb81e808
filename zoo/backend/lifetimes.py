"""Lets go of what TensorFlow would hold until the process ends: old models, their graphs, images.

TensorFlow has two tables that nothing leaves:

- The default graph holds each Python function that a dataset calls (`from_generator`, which Keras
  makes of a `PyDataset`, and `numpy_function`), and with it all that the function knows. So such
  functions know their batches by weak references here; who iterates over a dataset holds it.
- The registry of gradients holds each `tf.custom_gradient` of a traced function, and with it the
  graph and the variables that this captured. `tie_gradients` ties them to the life of the graph:
  a gradient is there for as long as anybody can ask for it.

Neither changes what a caller's own models and datasets can do.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

_CUSTOM = "CustomGradient-"  # Names that `tf.custom_gradient` makes up.
_KEPT = "_zoo_gradients"  # Attribute of a graph: its gradients.


def lent(dataset: Any) -> Any:
    """A dataset as Keras takes it, which holds another one weakly, for one call of Keras.

    Args:
        dataset: the caller holds it until Keras is done. Anything but a `PyDataset` is returned as
            it is, as are all datasets on other backends than TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or not isinstance(dataset, keras.utils.PyDataset):
        return dataset

    return _lent_class()(dataset)


@cache
def _lent_class() -> Any:
    import keras

    class Lent(keras.utils.PyDataset):
        """Batches of a dataset that it holds weakly."""

        def __init__(self, dataset: Any) -> None:
            super().__init__(workers=1)
            self._dataset = weakref.ref(dataset)

        @property
        def num_batches(self) -> int:
            return int(_alive(self._dataset).num_batches)

        def __len__(self) -> int:
            return self.num_batches

        def __getitem__(self, index: int) -> Any:
            return _alive(self._dataset)[index]

    return Lent


def weakly(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls another one, a method or an object, which it holds weakly.

    Args:
        function: the caller holds it, or the object of the method.
    """
    bound = inspect.ismethod(function)
    reference: Any = weakref.WeakMethod(function) if bound else weakref.ref(function)

    def call(*arguments: Any) -> Any:
        return _alive(reference)(*arguments)

    return call


def _alive(reference: Any) -> Any:
    found = reference()
    if found is None:
        raise RuntimeError("batches were asked for after their dataset was gone; hold it")
    return found


def tie_gradients() -> None:
    """Lets each custom gradient go with the graph that it belongs to; does nothing on JAX.

    Where another version of TensorFlow keeps them in another way, nothing is changed.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    from tensorflow.python.framework import ops

    table = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    if not isinstance(table, dict):
        return
    for name in [name for name in table if str(name).startswith(_CUSTOM)]:
        entry = table[name]
        gradient = entry.get("type") if isinstance(entry, dict) else None
        graph = _graph_of(gradient)
        if gradient is not None and graph is not None:
            entry["type"] = _of_graph(gradient, graph)
            weakref.finalize(graph, table.pop, name, None).atexit = False


def _of_graph(gradient: Callable[..., Any], graph: Any) -> Callable[..., Any]:
    """The gradient, held by its graph and nobody else."""
    setattr(graph, _KEPT, [*getattr(graph, _KEPT, ()), gradient])
    reference = weakref.ref(gradient)

    def tied(operation: Any, *upstream: Any) -> Any:
        return _alive(reference)(operation, *upstream)

    return tied


def _graph_of(gradient: Any) -> Any:
    """The graph of the tensors that a custom gradient knows; None where it is not found."""
    inner = _captured(gradient, "tape_grad_fn")
    result = _captured(inner, "result")
    for tensor in result if isinstance(result, list | tuple) else [result]:
        graph = getattr(tensor, "graph", None)
        if graph is not None and hasattr(graph, "outer_graph"):
            return graph
    return None


def _captured(function: Any, name: str) -> Any:
    """The value of a variable of the function around a function; None: it has none."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is None or cells is None or name not in code.co_freevars:
        return None
    try:
        return cells[code.co_freevars.index(name)].cell_contents
    except ValueError:  # The cell is empty.
        return None
