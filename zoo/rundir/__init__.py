"""Run folders and search folders: the only package that knows the names in them.

Every file is written under a temporary name and renamed, so that it is either complete or absent.

runs/<recipe name>/<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       the recipe as trained, every default written out
    run.json          status, seed, versions, device, data fingerprint, normalisation, classes
    metrics.jsonl     a row per epoch
    checks.json       findings of the live checks, or of zoo check
    evaluation.json   metrics of the test split
    best.keras        the best epoch's model
    state/            the training state, for an exact resume
    export/<format>/  the exports, with parity.json
    report.html       the page of zoo report
    report/           what the page shows of images: SPLIT.zip the predictions of a split,
                      SPLIT-images.zip small images of it, training.zip training images and kernels
    plots/            figures of zoo check --plots
    metrics.csv       the rows of metrics.jsonl as a table, of zoo train --log csv
    tensorboard/      logs of zoo train --log tensorboard
    trackers.json     which runs of MLflow and W&B this one is, and what they have received
    trackers.log      what the packages of these trackers printed
    plugins/          copies of the user's own parts, for reading; they are never run

runs/<recipe name>/check-<YYYYmmdd-HHMMSS>-<4 hex>/
    checks.json, plots/, report.html: as in a run folder

runs/<recipe name>/folds-<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       the recipe as given to the cross-validation, every default written out
    folds.json        status, a row per fold, mean and standard deviation
    fold-<number>/    the training of each fold, a run folder
    report.html, trackers.json, trackers.log: as in a run folder

runs/<recipe name>/tune-<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       the recipe as given to the search, with its space
    tune.json         status, seconds, stages with their ranges and edge verdicts
    trials.jsonl      a row per finished trial, appended as it ends
    attempts.jsonl    a row each time a trial is begun
    trials.csv        the rows of trials.jsonl as a table
    best.yaml         the recipe that won
    trials/<id>/      the best trials, each a run folder
    workers/          what each worker printed
    plots/            figures of zoo tune --plots
    tensorboard/      logs of zoo tune --log tensorboard
    report.html, trackers.json, trackers.log: as in a run folder
"""

from zoo.rundir.files import atomic_write, require_writable, write_json, write_text
from zoo.rundir.folds import Folds
from zoo.rundir.run import STATUSES, Run
from zoo.rundir.search import Search

__all__ = [
    "STATUSES",
    "Folds",
    "Run",
    "Search",
    "atomic_write",
    "require_writable",
    "write_json",
    "write_text",
]
