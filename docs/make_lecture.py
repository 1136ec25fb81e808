"""Writes docs/lecture.ipynb and runs it, so that its outputs are real: python docs/make_lecture.py.

The notebook holds what is below: text between cells of code. Its claims are assertions in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FILE = Path(__file__).with_name("lecture.ipynb")
SECONDS = 600

CELLS = [
    """# The lecture, step by step

Lecture 6 of CS231n, "Training Neural Networks, Part I", in Python: what saturates, how weights are
drawn, batch norm, preprocessing, the first checks of a training, and a random search. The images
are the handwritten digits that come with scikit-learn, so that each cell takes seconds.
[tutorial.md](tutorial.md) goes the same way on the command line, [python.md](python.md) has all
functions.""",
    """import numpy as np
import pandas as pd

import zoo

data = zoo.data("digits-tiny")
data""",
    """## Activations

A network of five layers with 64 units each. `activations` builds it and returns the standard
deviation of each layer's output over 200 images, before any training.""",
    """def network(activation, initializer, norm="none", preprocess="channel_meanstd"):
    defaults = {"activation": activation, "kernel_initializer": initializer, "batch_norm": norm}
    return {
        "name": "lecture",
        "data": {"source": "digits", "color_mode": "grayscale", "preprocess": preprocess},
        "model": {"defaults": defaults, "stack": [{"fc": {"units": 64, "repeat": 5}}]},
        "train": {"epochs": 3, "batch_size": 64, "optimizer": {"SGD": {"learning_rate": 0.05}}},
    }


def outputs(recipe):
    import keras

    model = zoo.build(recipe, data=data, quiet=True)
    layers = [layer.output for layer in model.layers if layer.name.endswith("_act")]
    images, _ = data.train[:200]
    return keras.Model(model.input, layers)(images)


def activations(recipe):
    return [float(np.std(output)) for output in outputs(recipe)]


spread = pd.DataFrame(
    {
        "tanh, 0.01": activations(network("tanh", {"gaussian": 0.01})),
        "tanh, 1": activations(network("tanh", {"gaussian": 1.0})),
        "tanh, Xavier": activations(network("tanh", "xavier")),
        "relu, Xavier": activations(network("relu", "xavier")),
        "relu, He": activations(network("relu", "he_normal")),
    },
    index=pd.Index(range(1, 6), name="layer"),
)
spread.round(3)""",
    """import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(5, 2.6), dpi=70)
spread.plot(ax=axes, logy=True, marker="o", ylabel="standard deviation")
axes.legend(fontsize=7)
plt.show()""",
    """With weights of 0.01 each layer's output is smaller than the one before: little is left after
five. With weights of 1 `tanh` is at its ends, -1 and 1, where its slope is zero. Xavier's variance,
1 / inputs, keeps the spread of `tanh`. `relu` sets half of the values to zero, so it needs twice
that variance: He's.""",
    """small = spread["tanh, 0.01"]
assert (small.diff().dropna() < 0).all() and small.iloc[-1] < 1e-3
assert spread["tanh, 1"].min() > 0.8
assert spread["relu, He"].iloc[-1] > 2 * spread["relu, Xavier"].iloc[-1]

ends = np.asarray(outputs(network("tanh", {"gaussian": 1.0}))[0])
print(f"of the first layer's outputs {np.mean(np.abs(ends) > 0.95):.0%} are beyond 0.95")""",
    """## Batch norm

Batch norm gives each unit of a batch mean 0 and deviation 1, whatever the weights. Here it stands
before `tanh`, and after one epoch the network with weights of 0.01 has learned something.""",
    """tiny = {"gaussian": 0.01}
without = zoo.train(network("tanh", tiny), quiet=True, evaluate=False)
with_norm = zoo.train(network("tanh", tiny, norm={"momentum": 0.9}), quiet=True, evaluate=False)
print(f"without {without.val_accuracy:.3f}, with batch norm {with_norm.val_accuracy:.3f}")
assert with_norm.val_accuracy > without.val_accuracy + 0.3""",
    """## Preprocessing

The model's first layer makes the pixels zero-centred. Its numbers come from the training images
alone.""",
    """for word in ("none", "channel_meanstd"):
    model = zoo.build(network("relu", "he_normal", preprocess=word), data=data, quiet=True)
    first = next((each for each in model.layers if each.name == "normalise"), None)
    pixels = data.train.images.astype("float32")
    seen = pixels if first is None else np.asarray(first(pixels))
    print(f"{word:16} mean {seen.mean():8.3f}, standard deviation {seen.std():7.3f}")
assert abs(seen.mean()) < 0.01 and abs(seen.std() - 1) < 0.01""",
    """## The first loss

Ten classes and no knowledge: the loss should be log 10.""",
    """recipe = zoo.load(network("relu", "he_normal"))
model = zoo.build(recipe, data=data, quiet=True)
loss, accuracy = model.evaluate(data.validation.batches(), verbose=0)
print(f"loss {loss:.3f}, log 10 {np.log(10):.3f}, accuracy {accuracy:.3f}")
assert abs(loss - np.log(10)) < 0.2""",
    """## Overfit a small part

A network that cannot learn twenty images by heart will not learn a thousand.""",
    """images, labels = data.train[:20]
model.fit(images, labels, epochs=60, verbose=0)
print(model.evaluate(images, labels, verbose=0))
assert model.evaluate(images, labels, verbose=0)[1] == 1.0""",
    """## The learning rate

Too low: the loss hardly moves. Too high: the training diverges, and zoo ends it.""",
    """losses = {}
for rate in (1e-6, 5e-2, 1e6):
    change = {"train.optimizer": {"SGD": {"learning_rate": rate}}}
    try:
        run = zoo.train(recipe, change, quiet=True, evaluate=False)
        losses[rate] = run.history["loss"].iloc[-1]
    except zoo.Diverged:
        losses[rate] = float("inf")
print(losses)
assert losses[1e-6] > 2.2 and losses[5e-2] < 1.5 and losses[1e6] == float("inf")""",
    """## Coarse to fine

The search draws rates at random on a logarithmic scale, trains briefly, narrows the range to where
the good ones were, and trains longer there.""",
    """path = "train.optimizer.SGD.learning_rate"
search = zoo.tune(
    recipe,
    {
        "tune": {
            "space": {path: {"min_value": 1e-5, "max_value": 1.0, "sampling": "log"}},
            "stages": [
                {"name": "coarse", "trials": 6, "epochs": 1},
                {"name": "fine", "trials": 4, "epochs": 3},
            ],
            "confirm": "none",
        }
    },
    quiet=True,
)
search.trials[["stage", "status", "score", path]].round(4)""",
    """## Reading the result

The fine range lies around the best rates of the coarse one. The winner is trained, and measured
once on the test images.""",
    """best = zoo.train(search.best_recipe(), quiet=True)
print(search.best["values"], best.evaluation)
assert best.evaluation.accuracy > 0.85
best""",
]


def notebook() -> nbformat.NotebookNode:
    """The notebook without outputs."""
    cells = []
    for number, source in enumerate(CELLS):
        is_text = source.startswith("#") or (number > 0 and source[0].isupper())
        make = nbformat.v4.new_markdown_cell if is_text else nbformat.v4.new_code_cell
        cells.append(make(source, id=f"cell-{number}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run(book: nbformat.NotebookNode, folder: Path) -> None:
    """Runs a notebook in a folder, which fills in its outputs.

    Raises:
        CellExecutionError: a cell failed, such as an assertion in it.
    """
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # Times, which differ each time.
        if "outputs" in cell:  # Libraries log to stderr.
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]


def main() -> None:
    book = notebook()
    with tempfile.TemporaryDirectory() as folder:
        run(book, Path(folder))
    nbformat.write(book, FILE)
    print(f"{FILE}: {FILE.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
