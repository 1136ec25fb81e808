"""`--log wandb`: runs of Weights & Biases, online or offline.

W&B's variables count as everywhere: WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR,
WANDB_API_KEY, WANDB_BASE_URL, WANDB_RUN_GROUP, ... Without a project it is the recipe's name.

W&B keeps all that it is given in its folder `wandb` first. So this tracker can always send, and
what does not reach the server is sent by `wandb sync`, as W&B's users know it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.trackers.contract import Entry, Refused, Tracker
from zoo.trackers.record import Record
from zoo.trackers.troubles import cause, said, without_password

LOGIN_SECONDS, INIT_SECONDS = 15, 60
FINISHED = ("done", "pruned")  # Statuses of runs that W&B calls finished; others failed.


class WandbTracker(Tracker):
    """Keeps runs in Weights & Biases."""

    name = "wandb"

    def __init__(self) -> None:
        self._runs: dict[str, Any] = {}  # By W&B's id.
        self._mode = "online"

    def connect(self, entry: Mapping[str, Any]) -> None:
        """Requires that the user is logged in, unless W&B is offline or disabled.

        Raises:
            Refused: W&B knows no key, or the server refuses it, or cannot be reached.
        """
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # zoo tells nobody what it does.
        import wandb

        self._mode = str(wandb.setup().settings.mode or "online")
        if self._mode not in ("online", "shared"):
            return
        advice = (
            "or set WANDB_MODE=offline and send it later, with wandb sync; or train without, and "
            "send the run later: zoo log RUN --to wandb"
        )
        try:
            logged_in = wandb.login(prompt=False, verify=True, timeout=LOGIN_SECONDS)
        except Exception as error:
            reason = cause(error) or said(error)
            raise Refused(f"--log wandb: {reason}. Log in with: wandb login; {advice}") from error
        if not logged_in:
            raise Refused(f"--log wandb: nobody is logged in. Log in with: wandb login; {advice}")

    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        """Begins a run, or goes on with it."""
        import wandb

        if entry.get("run_id") in self._runs:  # What was sent of it in this process went wrong.
            return dict(entry)
        group = record.group or (parent and parent["name"]) or None
        if record.kind == "search":
            group = record.name
        run = wandb.init(
            id=entry.get("run_id") or self._trial_id(record, parent),
            resume="allow",
            project=os.environ.get("WANDB_PROJECT") or record.recipe,
            name=record.name,
            group=os.environ.get("WANDB_RUN_GROUP") or group,
            job_type={"run": "train", "folds": "cross-validation"}.get(record.kind, record.kind),
            config={**record.params, "zoo": dict(record.tags)},
            allow_val_change=True,
            reinit="create_new",
            settings=wandb.Settings(
                console="off", silent=True, init_timeout=INIT_SECONDS, disable_code=True,
                disable_git=True, x_disable_stats=record.kind != "run",
            ),
        )  # fmt: skip
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")
        self._runs[run.id] = run
        kept = {key: entry[key] for key in ("epochs", "trials", "ended") if key in entry}
        return {
            "epochs": 0, **kept, "run_id": run.id, "name": record.name,
            "url": without_password(run.url or run.settings.sync_dir),
        }  # fmt: skip

    def _trial_id(self, record: Record, parent: Entry | None) -> str | None:
        """The same id for the same trial, so that one that is sent twice is there once."""
        if record.kind != "trial" or parent is None:
            return None
        safe = "".join(letter if letter.isalnum() else "-" for letter in record.name)
        return f"{parent['run_id']}-{safe}"[:128]

    def rows(self, record: Record, entry: Entry) -> None:
        """Logs a row per epoch."""
        run = self._runs[entry["run_id"]]
        for epoch, _, values in record.epochs_after(entry["epochs"]):
            run.log({"epoch": epoch, **values}, step=epoch)
            entry["epochs"] = epoch

    def end(self, record: Record, entry: Entry) -> None:
        """Sends the summary, the files and the exported model, and finishes the run."""
        import wandb

        run = self._runs.pop(entry["run_id"])
        run.summary.update(dict(record.summary))
        if record.kind != "trial":
            kept = wandb.Artifact(f"{record.kind}-{run.id}", type=f"zoo-{record.kind}")
            for file in record.files:
                kept.add_file(str(file))
            run.log_artifact(kept)
        if record.model is not None:
            self._send_model(run, record.model, entry)
        run.finish(exit_code=0 if record.status in FINISHED else 1)

    def _send_model(self, run: Any, folder: Path, entry: Entry) -> None:
        import wandb

        model = wandb.Artifact(f"model-{run.id}", type="model")
        model.add_dir(str(folder))
        run.log_artifact(model)

    def place(self, entry: Mapping[str, Any]) -> str | None:
        """The run's page; offline, its folder and what sends it."""
        url = entry.get("url")
        return (
            url if url is None or url.startswith("http") else f"{url}; to send it: wandb sync {url}"
        )

    def close(self) -> None:
        """Leaves runs that have not ended as they are: W&B calls them crashed, and resumes them."""
        self._runs = {}
