"""`--log mlflow`: runs of MLflow, on a server or in a database, through its client alone.

MLflow's variables count as everywhere: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME,
MLFLOW_EXPERIMENT_ID, MLFLOW_TRACKING_USERNAME, ... Without an experiment it is the recipe's name.

This module changes MLflow's environment variables and its tracking URI, so it runs in the process
of `sender_process.py`, or of `zoo log`, and never in one that trains.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from zoo.report.search.rows import as_word
from zoo.rundir.liveness import KILLED
from zoo.trackers.contract import Entry, Refused, Tracker
from zoo.trackers.record import Record
from zoo.trackers.troubles import cause, said, without_password

# Unless the user sets them: MLflow's own defaults wait minutes for a server that is away.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # zoo tells nobody what it does.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
MAX_KEY, MAX_VALUE, MAX_TAG = 250, 6000, 5000  # Characters that MLflow takes.
PARAMS_PER_BATCH, METRICS_PER_BATCH = 100, 1000
STATUSES = {
    "running": "RUNNING", "done": "FINISHED", "diverged": "FAILED", "failed": "FAILED",
    "interrupted": "KILLED", KILLED: "KILLED", "pruned": "KILLED", "timeout": "KILLED",
}  # fmt: skip
WORDS = ("databricks", "databricks-uc", "uc")  # URIs that are neither paths nor have a scheme.
RECIPE_CHANGED = "zoo.changed."  # Tags of parameters that a longer run has others of.

Item = TypeVar("Item")


class MlflowTracker(Tracker):
    """Keeps runs in MLflow.

    Args:
        register: name under which models are registered; None: they are not.
    """

    name = "mlflow"

    def __init__(self, register: str | None = None) -> None:
        self.register = register
        self._uri = ""
        self._client: Any = None
        self._trial_is_whole = False  # The one begun last, so that the next one is new.

    def connect(self, entry: Mapping[str, Any]) -> None:
        """Requires that the server or the database answers.

        Raises:
            Refused: it does not.
        """
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if not given and entry.get("uri"):
            mlflow.set_tracking_uri(entry["uri"])
        self._uri = mlflow.get_tracking_uri()
        try:
            _require_database(self._uri)
            self._client = mlflow.MlflowClient()
            self._client.search_experiments(max_results=1)
        except Exception as error:  # MLflow raises its own, those of requests and of SQLAlchemy.
            raise Refused(self._advice(error, given)) from error

    def _advice(self, error: Exception, given: str | None) -> str:
        shown = without_password(self._uri)
        reason = cause(error) or said(error)
        if reason == "the server refuses the credentials":
            todo = (
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_TOKEN"
            )
        elif given:
            todo = "Start the server, or set MLFLOW_TRACKING_URI to another one"
        else:
            todo = "Set MLFLOW_TRACKING_URI to a server (mlflow server) or to sqlite:///FILE"
        return (
            f"--log mlflow: {shown}: {reason}. {todo}; or train without, and send the run later: "
            "zoo log RUN --to mlflow"
        )

    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        """Begins a run, or goes on with it; sends parameters, tags and the recipe."""
        run = self._existing(entry.get("run_id")) or self._earlier_trial(record, parent)
        tags = _tags(record, parent)
        if run is None:
            entry = {}
            run = self._client.create_run(
                self._experiment(record, parent),
                start_time=int(record.started * 1000),
                tags=tags,
                run_name=record.name,
            )
        else:
            status = STATUSES["running" if record.ended is None else record.status]
            self._client.update_run(run.info.run_id, status=status)
        run_id, experiment = run.info.run_id, run.info.experiment_id
        self._send_params(run_id, record, run.data.params, tags)
        if record.kind != "trial":
            self._client.log_artifact(run_id, str(record.folder.recipe_file))
        self._describe_data(run_id, record)
        sent = {"run_id": run_id, "experiment_id": experiment, "epochs": entry.get("epochs", 0)}
        sent |= {key: entry[key] for key in ("trials", "model", "ended") if key in entry}
        uri = without_password(_absolute(self._uri))
        return {**sent, "uri": uri, "url": self._url(run_id, experiment)}

    def _url(self, run_id: str, experiment: str) -> str:
        base = without_password(self._uri).rstrip("/")
        if not base.startswith("http"):
            return f"{base} run {run_id}"
        return f"{base}/#/experiments/{experiment}/runs/{run_id}"

    def _existing(self, run_id: str | None) -> Any:
        """The run of an id; None if this server has none, or it was deleted."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _earlier_trial(self, record: Record, parent: Entry | None) -> Any:
        """The run of a trial that was sent, and not counted: by a killed process, or cut off.

        At most one is: all others are new, and are not looked for.
        """
        if record.kind != "trial" or parent is None:
            return None
        whole, self._trial_is_whole = self._trial_is_whole, False
        if whole:
            return None
        found = self._client.search_runs(
            [parent["experiment_id"]],
            f"tags.`mlflow.parentRunId` = '{parent['run_id']}' "
            f"and tags.`zoo.trial` = '{record.name}'",
            max_results=1,
        )
        return found[0] if found else None

    def _experiment(self, record: Record, parent: Entry | None) -> str:
        """The id of the experiment: the parent's, the user's, or that of the recipe's name."""
        if parent is not None:
            return str(parent["experiment_id"])
        if os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or record.recipe
        experiment = self._client.get_experiment_by_name(name)
        if experiment is not None:
            if experiment.lifecycle_stage != "active":
                self._client.restore_experiment(experiment.experiment_id)
            return str(experiment.experiment_id)
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.create_experiment(name))
        except MlflowException:  # Another process made it just now.
            return str(self._client.get_experiment_by_name(name).experiment_id)

    def _send_params(
        self, run_id: str, record: Record, there: Mapping[str, str], tags: dict[str, str]
    ) -> None:
        """Sends the parameters that MLflow lacks. Those that it has cannot be changed."""
        from mlflow.entities import Param, RunTag

        params = {_key(path): _value(value) for path, value in record.params.items()}
        new = [Param(key, value) for key, value in params.items() if key not in there]
        changed = {
            f"{RECIPE_CHANGED}{key}"[:MAX_KEY]: value[:MAX_TAG]
            for key, value in params.items()
            if there.get(key, value) != value
        }
        for batch in _batches(new, PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=batch)
        pairs = [RunTag(key, value) for key, value in {**tags, **changed}.items()]
        self._client.log_batch(run_id, tags=pairs)

    def _describe_data(self, run_id: str, record: Record) -> None:
        """Names the data, for the column Dataset of MLflow's tables."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        name, digest = record.tags.get("zoo.data"), record.tags.get("zoo.data_fingerprint")
        if name is None or digest is None:
            return
        dataset = Dataset(name[:500], digest[:36], source_type="local", source=name)
        tag = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(run_id, [DatasetInput(dataset, [tag])])

    def rows(self, record: Record, entry: Entry) -> None:
        """Sends metrics; the epoch is the step."""
        from mlflow.entities import Metric

        metrics = [
            Metric(_key(key), value, int(at * 1000), epoch)
            for epoch, at, values in record.epochs_after(entry["epochs"])
            for key, value in values.items()
        ]
        for batch in _batches(metrics, METRICS_PER_BATCH):
            self._client.log_batch(entry["run_id"], metrics=batch)
        entry["epochs"] = max(entry["epochs"], record.last_epoch)

    def end(self, record: Record, entry: Entry) -> None:
        """Sends what was measured at the end, the files, the model and the status."""
        from mlflow.entities import Metric, RunTag

        run_id, ended = entry["run_id"], int((record.ended or record.started) * 1000)
        summary = [
            Metric(_key(key), value, ended, record.last_epoch)
            for key, value in record.summary.items()
        ]
        tags = [RunTag(key, value[:MAX_TAG]) for key, value in record.tags.items()]
        self._client.log_batch(run_id, metrics=summary, tags=tags)
        self._describe_data(run_id, record)  # A search knows its data later than its begin.
        for file in record.files:
            self._client.log_artifact(run_id, str(file))
        if record.model is not None:
            self._send_model(record.model, record, entry)
        self._client.set_terminated(run_id, STATUSES.get(record.status, "FAILED"), ended)
        self._trial_is_whole = record.kind == "trial"

    def _send_model(self, folder: Path, record: Record, entry: Entry) -> None:
        """Sends the exported model, unless MLflow has it; registers it if asked to."""
        from zoo.trackers import mlflow_model

        digest = mlflow_model.digest(folder)
        if entry.get("model") != digest or self.register:
            run_id, experiment = entry["run_id"], entry["experiment_id"]
            mlflow_model.log(folder, run_id, experiment, record.last_epoch, self.register)
            entry["model"] = digest


def _require_database(uri: str) -> None:
    """Require that a database of SQLite can be opened: MLflow would try for minutes.

    Raises:
        OSError: its folder is missing, or may not be written to.
    """
    scheme, separator, path = uri.partition(":///")
    if not separator or scheme.partition("+")[0] != "sqlite" or not path or path[0] in ":?":
        return
    file = Path(path.partition("?")[0])
    if not file.parent.is_dir():
        raise FileNotFoundError(f"the folder {file.parent} does not exist")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise PermissionError(f"{file} may not be written to")


def _absolute(uri: str) -> str:
    """A URI that leads to the same file from any working directory: `sqlite:///mlflow.db`."""
    scheme, separator, path = uri.partition(":///")
    if separator and scheme.partition("+")[0] == "sqlite" and path and path[0] not in "/:?":
        return f"{scheme}:///{os.path.abspath(path)}"
    return uri if ":" in uri or uri in WORDS else os.path.abspath(uri)


def _tags(record: Record, parent: Entry | None) -> dict[str, str]:
    tags = {key: value[:MAX_TAG] for key, value in record.tags.items()}
    verb = {"search": "zoo tune", "trial": "zoo tune"}.get(record.kind, "zoo train")
    tags |= {"mlflow.source.name": verb, "mlflow.source.type": "LOCAL"}
    tags["zoo.kind"] = record.kind
    if "zoo.git_commit" in tags:
        tags["mlflow.source.git.commit"] = tags["zoo.git_commit"]
    if parent is not None:
        tags["mlflow.parentRunId"] = parent["run_id"]
    with suppress(OSError, KeyError):  # A user without a name, as in some containers.
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _key(path: str) -> str:
    """A name as MLflow takes it: letters, digits, and `_-. :/` alone, not too long."""
    text = "".join(letter if letter.isalnum() or letter in "_-. :/" else "." for letter in path)
    # MLflow takes names for paths: none may hold an empty part or begin with a slash.
    parts = (".".join(filter(None, part.split("."))) for part in text.split("/"))
    text = "/".join(filter(None, parts)) or "_"
    return text if len(text) <= MAX_KEY else f"{text[: MAX_KEY - 41]}...{text[-38:]}"


def _value(value: Any) -> str:
    """A value as recipes write it; the end of a long one is in recipe.yaml alone."""
    text = as_word(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."


def _batches(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    everything = list(items)
    for first in range(0, len(everything), size):
        yield everything[first : first + size]
