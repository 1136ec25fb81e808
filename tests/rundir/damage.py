"""Damages one file of a run, an export or a search, as crashes, editors and strangers do.

A case is a number: it says which file, what is done to it, and which verb reads it then. `Material`
holds what the cases start from, and the answers of the undamaged folders.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from typer.testing import CliRunner

ODD: list[Any] = [
    None, True, 0, -1, 1, 7, 10**10, 10**30, 1.5, -2.5, 1e308, float("nan"), float("inf"), "", "x",
    "../../x", "0", "\ud800", "a" * 5000, [], [[]], [None], {}, {"a": 1}, ["a"] * 3, [1, 2, 3],
]  # fmt: skip
# Files of a folder -> the verbs that read them.
FILES = {
    "run": {
        "run.json": ("predict", "evaluate", "export"),
        "recipe.yaml": ("predict", "evaluate", "export"),
        "evaluation.json": ("export",),
        "best.keras": ("predict", "evaluate", "export"),
    },
    "stopped": {
        name: ("resume",) for name in ("run.json", "recipe.yaml", "metrics.jsonl", "state")
    },
    "export": {
        name: ("predict_export",)
        for name in ("manifest.json", "model.keras", "labels.txt", "recipe.yaml")
    },
    "search": {
        name: ("tune",) for name in ("tune.json", "trials.jsonl", "attempts.jsonl", "recipe.yaml")
    },
}
WEIGHTS = {"run.json": 5, "best.keras": 5, "state": 4, "manifest.json": 2, "tune.json": 3,
           "trials.jsonl": 3}  # fmt: skip
EXIT_CODES = (0, 1, 2, 3, 4)
BOMB_MEGABYTES = 1100  # That an archive unpacks to.
# Beyond what the undamaged folder takes. The machine may do other things beside: a hang that waits
# shows in seconds of the clock, one that works in seconds of the processor.
SECONDS, BYTES, BLOCKED_SECONDS = 5.0, 2**30, 90


class Blocked(BaseException):
    """A verb waits for something that never comes."""


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Raises `Blocked` in the middle of whatever takes longer."""

    def ring(number: int, frame: Any) -> None:
        raise Blocked

    previous = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@dataclass
class Material:
    """Folders to damage, and what the verbs answer of them as they are.

    Attributes:
        folders: kind -> a folder that is only copied.
        others: kind -> a folder of the same kind with other contents.
        image: an image file.
        answers: verb -> what it answered.
        seconds: verb -> how long that took.
        tuned: what lasts of a search.
    """

    folders: dict[str, Path]
    others: dict[str, Path]
    image: Path
    answers: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tuned: Callable[[Path], Any] = lambda folder: None


def cases(count: int, first: int = 0) -> list[int]:
    return list(range(first, first + count))


def run_case(material: Material, number: int, work: Path) -> str | None:
    """Runs one case. Returns what is wrong with how it ended, or None."""
    draw = random.Random(number)
    kind = draw.choices(list(FILES), weights=[5, 3, 1, 2])[0]
    names = list(FILES[kind])
    name = draw.choices(names, weights=[WEIGHTS.get(each, 1) for each in names])[0]
    verb = draw.choice(FILES[kind][name])
    folder = work / f"case{number}"
    shutil.copytree(material.folders[kind], folder, symlinks=True)
    file = next((folder / "state").glob("*")) if name == "state" else folder / name
    other = material.others[kind] / name
    if name == "state":
        other = max((material.others[kind] / "state").glob("*"))
    did = damage(draw, file, other)
    place = f"case {number}: {verb} after {did} of {name}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        with alarm(BLOCKED_SECONDS):
            result, answer = call(material, verb, folder)
    except Blocked:
        return f"{place}: blocked for {BLOCKED_SECONDS} s"
    seconds = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    shutil.rmtree(folder, ignore_errors=True)
    flaw = judge(material, verb, result, answer)
    if flaw is None and seconds > SECONDS + 2 * material.seconds[verb]:
        flaw = f"hangs: {seconds:.1f} s"
    if flaw is None and grown > BYTES:
        flaw = f"takes {grown / 1e9:.1f} GB"
    return None if flaw is None else f"{place}: {flaw}"


def judge(material: Material, verb: str, result: Any, answer: Any) -> str | None:
    raised = result.exception
    if raised is not None and not isinstance(raised, SystemExit):
        return f"traceback: {type(raised).__name__}: {str(raised)[:150]}"
    if "Traceback" in result.stderr:
        return f"traceback: {result.stderr[-200:]}"
    if result.exit_code not in EXIT_CODES:
        return f"exit code {result.exit_code}"
    if result.exit_code == 0:
        if answer != material.answers[verb]:
            return f"false success: {str(answer)[:150]}"
        return None
    try:
        error = json.loads(result.stdout)["error"]
        message = max([p["message"] for p in error["problems"]] or [error["message"]], key=len)
    except (ValueError, KeyError, TypeError):
        return f"no error under --json: {result.stdout[:150]!r} {result.stderr[:150]!r}"
    if not message.strip() or len(message) > 900:
        return f"no sentence, or a long one: {message[:150]!r}"
    return None


def measure(material: Material, work: Path) -> None:
    """Notes what each verb answers of the undamaged folders, and how long that takes."""
    for kind, files in FILES.items():
        for verb in dict.fromkeys(verb for verbs in files.values() for verb in verbs):
            for _ in range(2):  # The first call imports and compiles.
                folder = work / f"whole-{verb}"
                shutil.copytree(material.folders[kind], folder)
                started = time.process_time()
                result, answer = call(material, verb, folder)
                material.seconds[verb] = time.process_time() - started
                assert result.exit_code == 0, result.output
                material.answers[verb] = answer
                shutil.rmtree(folder)


def call(material: Material, verb: str, folder: Path) -> tuple[Any, Any]:
    """Runs a verb; returns its result, and what must be as with the undamaged folder."""
    from zoo.cli import app

    arguments = {
        "predict": ["predict", folder, material.image, "--json"],
        "predict_export": ["predict", folder, material.image, "--json"],
        "evaluate": ["evaluate", folder, "--json"],
        "export": ["export", folder, "--format", "keras", "--out", folder / "out", "--json"],
        "resume": ["train", "--resume", folder, "--no-evaluate", "--no-export", "--json"],
        "tune": ["tune", "--resume", folder, "--json"],
    }[verb]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exit_code != 0 or result.exception is not None:
        return result, None
    try:
        document = json.loads(result.stdout, parse_constant=lambda word: f"no JSON: {word}")
    except ValueError:
        return result, "no JSON"
    return result, _lasting(material, verb, folder, document)


def _lasting(material: Material, verb: str, folder: Path, document: Any) -> Any:
    if verb in ("predict", "predict_export"):
        (entry,) = document["predictions"]
        return (entry["classes"], np.round(entry["probabilities"], 4).tolist())
    if verb == "evaluate":
        return [document[key] for key in ("accuracy", "loss", "images", "confusion_matrix")]
    if verb == "export":
        manifest = json.loads(next((folder / "out").rglob("manifest.json")).read_text())
        # Without an evaluation.json, the card says that nothing was measured.
        measured = manifest["test"] or material.answers.get("export", [None])[-1]
        return [document["parity"]["passed"], manifest["classes"], manifest["image"], measured]
    if verb == "resume":
        with zipfile.ZipFile(folder / "best.keras") as archive:
            best = archive.getinfo("model.weights.h5").CRC
        return [best, *(document[key] for key in ("status", "epochs", "best_epoch"))]
    return material.tuned(folder)


def damage(draw: random.Random, file: Path, other: Path) -> str:
    """Damages a file in one of many ways; returns which."""
    content = file.read_bytes()
    ways: dict[str, Callable[[], None]] = {
        "cut": lambda: _write(file, content[: draw.randrange(len(content))]),
        "cut of the end": lambda: _write(file, content[: -draw.randrange(1, 9)]),
        "emptying": lambda: _write(file, b""),
        "flips": lambda: _write(file, _flipped(draw, content)),
        "zeros": lambda: _write(file, bytes(len(content))),
        "rubbish": lambda: _write(file, draw.randbytes(200)),
        "another's": lambda: _copy(other, file),
        "swap": lambda: _swap(draw, file),
        "a folder": lambda: _replace(file, file.mkdir),
        "a dangling link": lambda: _replace(file, lambda: file.symlink_to("nowhere")),
        "a pipe": lambda: _replace(file, lambda: os.mkfifo(file)),
        "an endless link": lambda: _replace(file, lambda: file.symlink_to("/dev/zero")),
        "removal": file.unlink,
        "growth": lambda: os.truncate(file, 3 * 2**30),
    }
    name = draw.choice(list(ways))
    structured = {
        ".json": _json, ".jsonl": _json_lines, ".yaml": _yaml, ".keras": _keras, ".npz": _state,
    }.get(file.suffix)  # fmt: skip
    if structured and draw.random() < 0.7:
        return structured(draw, file)
    ways[name]()
    return name


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _replace(file: Path, make: Callable[[], None]) -> None:
    file.unlink()
    make()


def _copy(other: Path, file: Path) -> None:
    if other.exists():
        shutil.copy(other, file)
    else:
        file.write_bytes(b"{}")


def _flipped(draw: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.randrange(1, 9)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _swap(draw: random.Random, file: Path) -> None:
    files = sorted(each for each in file.parent.iterdir() if each.is_file() and each != file)
    if files:
        shutil.copy(draw.choice(files), file)


def _mutated(draw: random.Random, value: Any) -> str:
    """Changes an object in place: a key is removed, or holds an odd value; says what."""
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in entries:
            places.append((node, key))
            if isinstance(child, dict | list) and len(places) < 400:
                collect(child)

    collect(value)
    if not places:
        return "no change"
    node, key = draw.choice(places)
    if isinstance(node, dict) and draw.random() < 0.25:
        del node[key]
        return f"removal of {key}"
    node[key] = draw.choice(ODD)
    return f"{key}={str(node[key])[:20]!r}"


def _json(draw: random.Random, file: Path) -> str:
    if draw.random() < 0.1:
        text = draw.choice(["[]", "{}", "null", "3", '"x"', "[" * 100_000, "NaN", '{"a":' * 9000])
        file.write_text(text, encoding="utf-8")
        return f"replacement by {text[:10]}"
    document = json.loads(file.read_text(encoding="utf-8"))
    did = _mutated(draw, document)
    file.write_text(json.dumps(document), encoding="utf-8")
    return did


def _json_lines(draw: random.Random, file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    number = draw.randrange(len(lines))
    way = draw.choice(["row", "row", "torn", "twice", "lost", "rubbish"])
    did = f"{way} {number}"
    if way == "row":
        row = json.loads(lines[number])
        did += f": {_mutated(draw, row)}"
        lines[number] = json.dumps(row)
    elif way == "twice":
        lines.append(lines[number])
    elif way == "lost":
        del lines[number]
    elif way == "rubbish":
        lines[number] = draw.choice(["{", "[]", "\x00", "3", '{"a": NaN}', "[" * 100_000])
    text = "".join(line + "\n" for line in lines)
    file.write_text(text[: -draw.randrange(2, 40)] if way == "torn" else text, encoding="utf-8")
    return did


def _yaml(draw: random.Random, file: Path) -> str:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    did = _mutated(draw, document)
    file.write_text(yaml.safe_dump(document), encoding="utf-8", errors="surrogatepass")
    return did


def _members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack(file: Path, members: dict[str, bytes], bomb: str | None = None) -> None:
    """Writes an archive; the member `bomb` unpacks to more than a gigabyte of zeros after it."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            if name != bomb:
                archive.writestr(name, content)
                continue
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as stream:
                stream.write(content)
                for _ in range(BOMB_MEGABYTES):
                    stream.write(bytes(2**20))


def _keras(draw: random.Random, file: Path) -> str:
    members = _members(file)
    config = json.loads(members["config.json"])
    way = draw.choice(["config", "size", "size", "outputs", "deep", "nan", "bomb", "lost", "flip"])
    did = way
    if way == "config":
        did += f": {_mutated(draw, config)}"
    elif way == "size":
        layer = draw.choice([e for e in config["config"]["layers"]
                             if {"filters", "units"} & e["config"].keys()])  # fmt: skip
        key = "filters" if "filters" in layer["config"] else "units"
        layer["config"][key] = draw.choice([1, 7, 10**6, 10**10, 10**18])
        did += f": {key}={layer['config'][key]}"
    elif way == "outputs":
        return f"{draw_outputs(file, draw.choice([2, 7, 12]))} outputs"
    elif way == "deep":
        config = json.loads("[" * 900 + "]" * 900)
    elif way == "nan":
        members["model.weights.h5"] = _with_nan(members["model.weights.h5"])
    elif way == "lost":
        name = draw.choice(list(members))
        del members[name]
        _pack(file, members)
        return f"loss of {name}"
    elif way == "flip":
        members["model.weights.h5"] = _flipped(draw, members["model.weights.h5"])
    members["config.json"] = json.dumps(config).encode()
    bomb = draw.choice(["config.json", "model.weights.h5"]) if way == "bomb" else None
    _pack(file, members, bomb)
    return did


def draw_outputs(file: Path, outputs: int) -> int:
    """Replaces a model by one of the same images and another number of outputs."""
    import keras

    image = keras.Input((8, 8, 1), name="image")
    keras.Model(image, keras.layers.Dense(outputs)(keras.layers.Flatten()(image))).save(file)
    return outputs


def _with_nan(content: bytes) -> bytes:
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as stored:
        found: list[Any] = []
        stored.visititems(
            lambda name, entry: (
                found.append(entry)
                if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f" and entry.size
                else None
            )
        )
        found[-1][...] = np.nan
    return buffer.getvalue()


def _state(draw: random.Random, file: Path) -> str:
    members = _members(file)
    way = draw.choice(["notes", "notes", "notes", "lost", "shape", "promise", "bomb", "object"])
    did = way
    name = draw.choice([each for each in members if each != "notes.npy"])
    if way == "notes":
        notes = json.loads(str(np.load(io.BytesIO(members["notes.npy"]))))
        did += f": {_mutated(draw, notes)}"
        members["notes.npy"] = _npy(np.array(json.dumps(notes)))
    elif way == "lost":
        del members[name]
    elif way == "shape":
        members[name] = _npy(np.zeros(draw.choice([(), (3,), (2, 2, 2)]), np.float32))
    elif way == "promise":
        members[name] = members[name].replace(b"'shape': (", b"'shape': (99999999999, ")
    elif way == "object":
        members[name] = _npy(np.array([{"a": 1}], object))
    _pack(file, members, name if way == "bomb" else None)
    return did


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    try:
        np.save(buffer, array)
    except UnicodeEncodeError:
        np.save(buffer, np.array("{"))
    return buffer.getvalue()
