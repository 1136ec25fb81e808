"""The devices that train together: how many there are, and how a batch is laid over them.

The one module that knows them. Importing it is light. `set_up` is called once a training, after
`zoo.backend.prepare` and before a model is made; `current` tells all others what is there.

- On JAX, `keras.distribution.DataParallel` keeps a copy of each variable on every device. Programs
  are written for the whole batch; arrays that `place` laid over the devices make XLA part the work
  and add what must be added. Batch norm and random numbers are those of the whole batch.
- On TensorFlow, `tf.distribute.MirroredStrategy` does, and `zoo.training.loop.mirrored_program`
  makes the steps.

A batch that the devices do not divide, such as the last one of an epoch, is made whole on each of
them, so that it gives what one device gives. With one device and one process nothing is set up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from zoo.backend import processes
from zoo.backend.device_request import Request
from zoo.backend.found_devices import divide_cpu, find, require
from zoo.backend.hardware import processor
from zoo.backend.process_devices import of_processes

AXIS = "batch"  # Name of the only axis of the devices.
WHOLE = -1  # As a batch size: arrays that no device has only rows of.


@dataclass(frozen=True)
class Devices:
    """The devices of a training.

    Args:
        count: devices that train, over all processes.
        processes: number of processes that train together.
        process: index of this process.
        logical: whether they are parts of one CPU, which are no faster than the whole.
        kind: what one device is called, such as `NVIDIA H100`; empty for one device.
    """

    count: int = 1
    processes: int = 1
    process: int = 0
    logical: bool = False
    kind: str = ""

    def __str__(self) -> str:
        """What follows the machine's description: nothing for one device."""
        return f", on {self.count} {'logical ' * self.logical}devices" if self.several else ""

    @property
    def is_first(self) -> bool:
        """Whether this process owns the run folder."""
        return self.process == 0

    @property
    def several(self) -> bool:
        """Whether anything is shared out at all."""
        return self.count > 1

    def divide(self, batch_size: int) -> bool:
        """Whether the rows of a batch can be shared out evenly; else each device takes them all."""
        return self.several and batch_size % self.count == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of a global batch that this process makes: all of them where it is not shared.

        Args:
            batch_size: rows of the global batch.
        """
        if self.processes == 1 or not self.divide(batch_size):
            return slice(0, batch_size)
        share = batch_size // self.processes
        return slice(self.process * share, (self.process + 1) * share)


ONE = Devices()

_current = ONE
_mesh: Any = None  # JAX's mesh of the devices.
_strategy: Any = None  # TensorFlow's.
# By number of devices, kept: TensorFlow numbers the sums of a strategy from the start, and a second
# strategy's numbers would be taken for the first one's.
_strategies: dict[int, Any] = {}


def set_up(request: Request) -> Devices:
    """Sets up the devices of a training, before a model is made.

    Args:
        request: number of devices; `all`: those that the backend finds; None: one.

    Returns:
        The devices, which `current` returns from now on.

    Raises:
        EnvironmentFault: there are fewer devices than asked for, the backend cannot use the
            accelerator that is there, or processes have different numbers of devices.
        UsageError: processes do not divide the number that was asked for.
    """
    import keras

    global _current
    tear_down()
    if processes.count() > 1:
        chosen = of_processes(request)
        _set_up_jax(chosen)
        on_cpu = chosen[0].platform == "cpu"
        _current = Devices(
            len(chosen), processes.count(), processes.index(),
            logical=on_cpu and len(chosen) > processes.count(),
            kind=processor() if on_cpu else chosen[0].device_kind,
        )  # fmt: skip
        return _current
    if request in (None, 1):
        return _current
    name = str(keras.backend.backend())
    divide_cpu(name, request)
    found = find(name)
    count = found.count if request == "all" else int(request or 1)
    require(name, count, found)
    if count == 1:
        return _current
    if name == "jax":
        import jax

        _set_up_jax(jax.devices()[:count])
    else:
        _set_up_tensorflow(count, found.on_cpu)
    _current = Devices(count, logical=found.on_cpu, kind=found.kind)
    return _current


def current() -> Devices:
    """The devices that `set_up` set up last; one, where it was not called."""
    return _current


def tear_down() -> None:
    """Ends a training's hold on its devices: models that are made now live on one."""
    global _current, _mesh, _strategy
    if _mesh is not None:
        import keras

        keras.distribution.set_distribution(None)
    _current, _mesh, _strategy = ONE, None, None


@contextmanager
def held_until_end() -> Iterator[None]:
    """Calls `tear_down` at the end of the block, or of the function that it decorates."""
    try:
        yield
    finally:
        tear_down()


@contextmanager
def of_this_process() -> Iterator[None]:
    """Lets one process of several save a model: making a variable would wait for the others."""
    with whole_batches() if _current.processes > 1 else nullcontext():
        yield


@contextmanager
def whole_batches() -> Iterator[None]:
    """Within it, each of JAX's devices computes the whole of a batch that Keras is given.

    Keras would refuse a batch that the devices do not divide.
    """
    if _mesh is None:
        yield
        return
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def scope() -> AbstractContextManager[Any]:
    """A context in which models of the training are built and compiled."""
    return nullcontext() if _strategy is None else _strategy.scope()


def hide_strategy(model: Any) -> None:
    """Lets Keras treat a model that was made in `scope` as one of a single device.

    Its variables then look so to all code but a step under the strategy, which
    `zoo.training.loop.mirrored_program` makes.
    """
    if _strategy is not None:
        model._distribute_strategy = None


def in_host_memory() -> AbstractContextManager[Any]:
    """A context in which tensors stay in the host's memory, where devices fetch their rows."""
    if _strategy is None:
        return nullcontext()
    import tensorflow as tf

    device: AbstractContextManager[Any] = tf.device("/CPU:0")
    return device


def strategy() -> Any:
    """TensorFlow's strategy; None with one device, and on JAX."""
    return _strategy


def _set_up_jax(chosen: Sequence[Any]) -> None:
    import jax
    import keras
    import numpy as np

    global _mesh
    names = [f"{device.platform}:{device.id}" for device in chosen]
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    )
    _mesh = jax.sharding.Mesh(np.array(chosen), (AXIS,))


def _set_up_tensorflow(count: int, on_cpu: bool) -> None:
    import tensorflow as tf

    global _strategy
    if count not in _strategies:
        kind = "CPU" if on_cpu else "GPU"
        names = [f"/{kind}:{index}" for index in range(count)]
        _strategies[count] = tf.distribute.MirroredStrategy(names)
    _strategy = _strategies[count]


def _sharding(shape: tuple[int, ...], batch_size: int, axis: int) -> Any:
    """How JAX lays an array over the devices: by rows of the batch, or the whole on each."""
    import jax

    spec: tuple[Any, ...] = ()
    if len(shape) > axis and shape[axis] == batch_size and _current.divide(batch_size):
        spec = (*[None] * axis, AXIS)
    return jax.sharding.NamedSharding(_mesh, jax.sharding.PartitionSpec(*spec))


def place(tree: Any, batch_size: int, axis: int = 0) -> Any:
    """Lays arrays of the host over JAX's devices; with one device they stay as they are.

    Args:
        tree: a tree of arrays, the same ones in every process.
        batch_size: rows of the global batch. An array that has as many along `axis` is shared out
            by rows, if the devices divide it; any other one is copied to each device.
        axis: of the batch's rows; 1 where draws of several steps are stacked.
    """
    if _mesh is None:
        return tree
    import jax
    import numpy as np

    def placed(leaf: Any) -> Any:
        layout = _sharding(np.shape(leaf), batch_size, axis)
        if isinstance(leaf, jax.Array) and leaf.sharding.is_equivalent_to(layout, leaf.ndim):
            return leaf
        if _current.processes == 1:
            return jax.device_put(leaf, layout)
        values = np.asarray(leaf)
        return jax.make_array_from_callback(values.shape, layout, lambda index: values[index])

    return jax.tree.map(placed, tree)


def place_rows(tree: Any, batch_size: int) -> Any:
    """As `place`, for arrays that hold only the rows that `Devices.rows` gives this process.

    Args:
        tree: a tree of arrays; the first axis of each is that of the rows.
        batch_size: rows of the global batch.
    """
    if _current.processes == 1 or not _current.divide(batch_size):
        return place(tree, batch_size)
    import jax

    def placed(leaf: Any) -> Any:
        shape = (batch_size, *leaf.shape[1:])
        layout = _sharding(shape, batch_size, 0)
        return jax.make_array_from_process_local_data(layout, leaf, shape)

    return jax.tree.map(placed, tree)


def replicate(tree: Any) -> Any:
    """Copies arrays of the host to each of JAX's devices; with one device they stay as they are."""
    return place(tree, batch_size=WHOLE)


def constrain(tree: Any, batch_size: int) -> Any:
    """Within a program of JAX, says how values are laid over the devices, as `place` lays them.

    Args:
        tree: a tree of traced values.
        batch_size: as for `place`; `WHOLE`: each device holds the whole of each.
    """
    if _mesh is None:
        return tree
    import jax

    return jax.tree.map(
        lambda leaf: jax.lax.with_sharding_constraint(leaf, _sharding(leaf.shape, batch_size, 0)),
        tree,
    )
