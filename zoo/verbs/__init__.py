"""The work of each verb, for the command line (`zoo.cli`) and for Python (`zoo.api`).

A verb here takes plain values, tells its user through a `Teller`, and raises a `ZooError` for what
a user can mend. It parses no command line and knows no exit codes and no notebooks. What can be
refused is refused before Keras is imported.

    teller.py           what a verb tells: lines of text, notes, warnings, a document of results
    folders.py          where run folders go
    opening.py          opens a trained run, or an export
    checking.py         check: runs the checks; fixing.py plans what `--fix` changes
    training.py         train: a recipe, or a run that is resumed; finish_training.py then measures
                        and exports
    train_seeds.py      the same with several seeds
    fold_choice.py, train_folds.py, fold_table.py  cross-validation
    several_processes.py  the same together with other processes
    image_arguments.py  predict: the image files that paths, folders and patterns name
    shown_classes.py    predict: which classes are shown
    exporting.py        export
    reporting.py        report
    listing_runs.py     runs (run_table.py prints them); cleaning_runs.py is `--clean`
    showing_folder.py   show: what a run, a search or a check is
    tracking.py         starts trackers; send_later.py is `zoo log`

Light: what is heavy is imported when a verb runs.
"""
