"""A script as a user writes it, with lines of docs/python.md. `mypy` reads it, nothing runs it."""

import numpy as np
import pandas as pd

import zoo


def best_of(name: str, rates: list[float]) -> tuple[float, zoo.Run]:
    """The best of some learning rates."""
    found: list[tuple[float, zoo.Run]] = []
    for rate in rates:
        changes = {"train.epochs": 2, "train.optimizer": {"Adam": {"learning_rate": rate}}}
        recipe: zoo.Recipe = zoo.load(name, changes)
        run = zoo.train(recipe, quiet=True)
        if run.val_accuracy is not None:
            found.append((run.val_accuracy, run))
    return max(found, key=lambda pair: pair[0])


def main() -> None:
    """The lines of docs/python.md."""
    score, run = best_of("digits-tiny", [1e-3, 1e-2])
    history: pd.DataFrame = run.history
    rate: float = run.recipe.train.optimizer.options.learning_rate
    data = zoo.data(run.recipe)
    images, labels = data.test[:5]
    for images, labels in data.validation.batches(batch_size=100):
        print(images.shape, labels.shape)
    predictions = run.predict(data.test.images[:20])
    likeliest = np.argmax(predictions.probabilities, axis=1)
    unread: list[int] = [i for i, word in enumerate(predictions.classes) if word is None]
    name: str = predictions.named(0)[0][0]
    result = run.evaluate()
    accuracy: float = result.accuracy
    print(score, history["val_loss"].min(), rate, likeliest == labels, unread, name, accuracy)
    print(result.confusion_matrix.shape, result.per_class.loc["3", "recall"], run.model.input_shape)
    print(run.export("keras").parity["max_abs_diff"])
    print(zoo.build(run.recipe, data=data).count_params())
    for finding in zoo.check(run.recipe, quick=True).of("FAIL"):
        print(finding.name, finding.status, finding.message)
    for each in zoo.train(run.recipe, seeds=2, quiet=True):
        print(each.val_accuracy)
    search = zoo.tune(run.recipe, {"tune": {}})
    print(search.trials.describe(), search.best["values"], search.best_recipe().train.epochs)
    try:
        longer: zoo.Run = zoo.train(resume=run, epochs=5)
    except zoo.Diverged as error:
        longer = zoo.run(error.facts["run"])
    except zoo.ZooError as error:
        print([problem.path for problem in error.problems])
        raise
    print(longer.status)


if __name__ == "__main__":
    main()
