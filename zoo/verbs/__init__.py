"""The work of each verb, for the command line (`zoo.cli`) and for Python (`zoo.api`).

A verb here takes plain values, tells its user through a `Teller`, and raises a `ZooError` for what
a user can mend. It knows no flags, no exit codes and no notebooks.

    teller.py           what a verb tells: lines of text, notes, warnings, a document of results
    folders.py          where run folders go
    opening.py          opens a trained run, or an export
    image_arguments.py  finds the image files that paths, folders and patterns name
    shown_classes.py    which classes of a prediction are shown
    training.py         trains a recipe or resumes a run; train_seeds.py and train_folds.py several
                        times, several_processes.py together with others
    tracking.py         starts trackers; send_later.py sends runs to them afterwards
    finish_training.py  then measures and exports
    exporting.py        exports
    checking.py         runs the checks

Light: what is heavy is imported when a verb runs.
"""
