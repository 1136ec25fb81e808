"""What measuring the content of image files adds to their verification.

usage: python benchmarks/measured_content.py FOLDER [FILES]

Verifies files of a folder in one thread (read, hash, decode to 32 x 32), with and without the
measurement, in turns; prints processor time a file for RGB and for grey recipes.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from pathlib import Path

from zoo.datasets.decoding.images import ImageSpec, decode

ROUNDS = 7


def seconds(files: list[Path], spec: ImageSpec, *, measure: bool) -> float:
    """Processor time of one pass over files."""
    start = time.process_time()
    for file in files:
        content = file.read_bytes()
        hashlib.sha256(content).hexdigest()
        decode(content, spec, measure=measure)
    return time.process_time() - start


def main() -> None:
    """Runs the benchmark."""
    folder, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    everything = sorted(path for path in folder.rglob("*") if path.is_file())
    files = everything[:: max(1, len(everything) // most)][:most]
    for channels in (3, 1):
        spec = ImageSpec(32, 32, channels)
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for measure in times:
                times[measure].append(seconds(files, spec, measure=measure) / len(files))
        plain, measured = (statistics.median(times[measure]) for measure in (False, True))
        print(
            f"{len(files)} files, {channels} channels: {plain * 1e6:.1f} us a file, measured "
            f"{measured * 1e6:.1f} us, ratio {measured / plain:.3f}"
        )


if __name__ == "__main__":
    main()
