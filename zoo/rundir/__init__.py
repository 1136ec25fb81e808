"""The run folder: the only package that knows its names. Every file is written aside and renamed.

runs/<recipe name>/<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       as trained, every default written out
    run.json          status, seed, versions, device, data fingerprint, normalisation, classes
    metrics.jsonl     a row an epoch
    checks.json       what the watch found while training, or what zoo check found
    evaluation.json   metrics of the test split
    best.keras        the best epoch's model
    state/            what an exact resume needs
    export/<format>/  with parity.json
    tensorboard/      where asked for

runs/<recipe name>/tune-<YYYYmmdd-HHMMSS>-<4 hex>/
    recipe.yaml       as given to the search, with its space
    tune.json         status, stages with their ranges and edge verdicts, seconds
    trials.jsonl      a row a finished trial, appended as it ends
    attempts.jsonl    a row each time a trial is begun
    trials.csv        the same rows as a table
    best.yaml         the recipe that won
    trials/<id>/      the best trials, each a run folder
    workers/          what each worker printed
    plots/, tensorboard/  where asked for
"""

from zoo.rundir.files import require_writable, write_json, write_text, written
from zoo.rundir.run import STATUSES, Run
from zoo.rundir.search import Search

__all__ = ["STATUSES", "Run", "Search", "require_writable", "write_json", "write_text", "written"]
