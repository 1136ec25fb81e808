"""Parts of a user's own: layers, augmentations, losses, metrics, callbacks, initializers. Light.

A recipe names them (`plugins: [my_parts.py:Mish2]`) and then uses their words as it uses zoo's own.
What can be known of them is read from their source (`reading.py`), which runs nothing. Their code
runs only where the user allows it (`permission.py`, `running.py`).

For a script of the user's own:

- `Augmentation`: base class of augmentations.
- `allow`: allows the parts that recipes name, as `--allow-plugins` does.
- `register`: runs a part, so that Keras can open a .keras file that holds it.

For the code of a part:

- `is_first_process`: whether it is the one of several processes that owns the run folder.
"""

from __future__ import annotations

from typing import Any

from zoo.plugins.augmentation import Augmentation

__all__ = ["Augmentation", "allow", "is_first_process", "register"]


def allow(yes: bool = True) -> None:
    """Allows the parts that recipes name, for this process and those that work for it.

    Args:
        yes: whether; False takes it back.
    """
    from zoo.plugins import permission

    permission.allow(yes)


def is_first_process() -> bool:
    """Whether this process owns the run folder; of a training by one process always true.

    Where several processes train together, a callback runs in each of them. One that writes a file
    or sends a message asks this first.
    """
    from zoo.backend import processes

    return processes.is_first()


def register(reference: str) -> Any:
    """Runs the code of a part, and tells Keras of it: `keras.saving.load_model` then knows it.

    Args:
        reference: `FILE.py:NAME` or `PACKAGE.MODULE:NAME`, as in `plugins` of a recipe; a relative
            file is found from the working directory.

    Returns:
        The class or function.

    Raises:
        RecipeError: there is no such part.
        PluginError: its code failed.
    """
    from zoo.plugins import reading, running

    return running.registered(reading.read_one(reference))
