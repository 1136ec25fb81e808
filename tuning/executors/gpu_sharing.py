"""NVIDIA's multi-process service (MPS): several workers compute on one GPU at once. Light.

Without it a GPU runs the kernels of one process at a time, and a small network leaves most of it
idle. Eight workers that trained ResNet-20 on an H100 were together as fast as one; with MPS they
trained twice as many images a second.

A process that is killed while it computes can leave the others of its GPU hanging (NVIDIA's
documentation of MPS). The search then replaces the workers that are silent for too long.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
DEFAULT_PIPES = Path("/tmp/nvidia-mps")  # NVIDIA's, where $CUDA_MPS_PIPE_DIRECTORY is not set.
SECONDS_TO_START = 20


class GpuSharing:
    """A daemon of MPS for the workers of a search; it ends with the search, however that ends."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    def start(self) -> Mapping[str, str]:
        """Starts the daemon, unless one is there already, or MPS is not installed.

        Returns:
            Environment variables for the workers; none if they find the daemon, or there is none.
        """
        command = shutil.which(CONTROL)
        if command is None or PIPES in os.environ or (DEFAULT_PIPES / "control").exists():
            return {}
        self._folder = Path(tempfile.mkdtemp(prefix="zoo-mps-"))
        variables = {PIPES: str(self._folder), "CUDA_MPS_LOG_DIRECTORY": str(self._folder)}
        environment = {**os.environ, **variables}
        try:
            subprocess.run(
                [command, "-d"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS_TO_START,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            self._remove_folder()
            return {}
        # This shell ends the daemon when its input ends, which a killed search cannot prevent.
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", 'cat >/dev/null; echo quit -t 10 | "$0" >/dev/null 2>&1', command],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        return variables

    def stop(self) -> None:
        """Ends the daemon, if this object has started one. Workers must have ended before."""
        if self._watch is None:
            return
        if self._watch.stdin is not None:
            self._watch.stdin.close()
        self._watch.wait()
        self._watch = None
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
