"""C26: the momentum of the optimizer; nothing is computed."""

from __future__ import annotations

from zoo.checks.judge.momentum import Momentum
from zoo.checks.measure.subject import Subject

# Optimizers in which momentum adds up gradients, so that it enlarges steps. Muon's sum is made
# orthogonal, which takes its size away; the others keep a mean.
SUMS = ("SGD", "TorchSGD", "RMSprop")
# Lion steps by the sign of a mean in which beta_2 counts.
OPTIONS = {"Lion": ("beta_2",)}
OPTION_NAMES = ("momentum", "beta_1")


def momentum(subject: Subject) -> Momentum | None:
    """The momentum of the recipe's optimizer; None if it has none, or 0."""
    train = subject.recipe.train
    word, options = train.optimizer.word, train.optimizer.options
    names = OPTIONS.get(word, OPTION_NAMES)
    option = next((name for name in names if getattr(options, name, 0.0)), None)
    if option is None:
        return None
    steps = subject.batches().steps_per_epoch * train.epochs
    return Momentum(
        optimizer=word,
        option=option,
        value=float(getattr(options, option)),
        learning_rate=float(options.learning_rate),
        sums=word in SUMS,
        updates=max(steps // (train.gradient_accumulation_steps or 1), 1),
    )
