"""Measures `zoo serve` under load, against other Python servers with the same SavedModel.

    python benchmarks/serving.py EXPORT IMAGES                        zoo, with batching and without
    python benchmarks/serving.py EXPORT IMAGES --peers DIR            and KServe, MLServer, BentoML
    python benchmarks/serving.py EXPORT IMAGES --soak 50000           memory over so many requests
    python benchmarks/serving.py EXPORT IMAGES --soak 50000 --damaged 0.05
    python benchmarks/serving.py EXPORT IMAGES --malformed 2000       wrong requests, damaged images

EXPORT is export/saved_model/NAME of a run, IMAGES a folder with CLASS/*.jpg. Needs `wrk` (Debian:
apt install wrk), which a script in Lua, written to a temporary file, gives the bodies to post. Each
peer gets a virtual environment of its own in DIR, made with pip when it is not there yet. Servers
listen on the loopback address only and run one at a time; they take turns, and the order turns
around from round to round. Nothing is asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import malformed
from PIL import Image
from posting import lines, wrk
from served import PINS, SIDES, Item, Server, Side, clean_environment, running

FORMS = ("jpeg", "png", "uint8")
SOAK_STEP = 5_000
SOAK_CLIENTS = 8
CHECK_EVERY = 100  # Wrong requests between two right ones.

REFERENCE = """\
import json, sys, time
from pathlib import Path
import tensorflow as tf
export, images, out = sys.argv[1:]
loaded = tf.saved_model.load(export)
call = loaded.signatures["serving_default"]
(spec,) = call.structured_input_signature[1].values()
assert spec.dtype == tf.string, "its serving_default does not take encoded images"
(_, height, width, channels) = loaded.signatures["serve_uint8"].structured_input_signature[1][
    "images"
].shape
data = [path.read_bytes() for path in sorted(Path(images).iterdir())]
best = [row[0].decode() for row in call(tf.constant(data))["classes"].numpy()]
milliseconds = {}
for size in (1, 8, 32):
    batch, took = tf.constant((data * 32)[:size]), []
    call(batch)["logits"].numpy()
    until = time.perf_counter() + 1.5
    while time.perf_counter() < until:
        start = time.perf_counter()
        call(batch)["logits"].numpy()
        took.append(time.perf_counter() - start)
    milliseconds[size] = sorted(took)[len(took) // 2] * 1000
Path(out).write_text(json.dumps({
    "shape": [height, width, channels], "best": best, "milliseconds": milliseconds,
}))
"""

# What is asked.


def prepare(export: Path, images: Path, count: int, scratch: Path) -> tuple[Path, list[Item], Any]:
    """The newest version, the images in all forms, and what the model itself says of them."""
    version = newest(export)
    classes = sorted(path for path in images.iterdir() if path.is_dir())
    by_class = [sorted(folder.glob("*.jpg"))[: -(-count // len(classes))] for folder in classes]
    files = [file for row in zip(*by_class, strict=True) for file in row][:count]
    if not files:
        raise SystemExit(f"{images}: no CLASS/*.jpg in it.")
    chosen = scratch / "images"
    chosen.mkdir()
    for i, file in enumerate(files):
        shutil.copy(file, chosen / f"{i:06}.jpg")
    out = scratch / "reference.json"
    command = [sys.executable, "-c", REFERENCE, str(version), str(chosen), str(out)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{version}: the model cannot be run:\n{done.stderr[-2000:]}")
    reference = json.loads(out.read_text())
    return version, [item(file, *reference["shape"]) for file in files], reference


def newest(export: Path) -> Path:
    versions = [path for path in export.iterdir() if path.name.isdigit()] if export.is_dir() else []
    if not versions:
        raise SystemExit(f"{export}: no version folder in it. Expected export/saved_model/NAME.")
    return max(versions, key=lambda path: int(path.name))


def item(file: Path, height: int, width: int, channels: int) -> Item:
    with Image.open(file) as opened:
        image = opened.convert("L" if channels == 1 else "RGB")
    held = io.BytesIO()
    image.save(held, "PNG")
    small = image if image.size == (width, height) else image.resize((width, height))
    flat = list(small.tobytes())
    pixels = [flat[i : i + channels] for i in range(0, len(flat), channels)]
    rows = [pixels[i : i + width] for i in range(0, len(pixels), width)]
    return Item(file.read_bytes(), held.getvalue(), rows)


# Load.


def turn(server: Server, words: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """All forms and numbers of clients on one server."""
    found = []
    for form in words.forms:
        right = [server.best(form, item) for item in words.items]
        same = sum(a == b for a, b in zip(right, words.reference["best"], strict=True))
        agreement = same / len(right)
        if agreement < 0.9:
            raise SystemExit(f"{server.side.name}, {form}: the same class in {agreement:.0%} only.")
        bodies = lines(server.side, form, words.items)
        wrk(server.port, bodies, max(words.clients), 2, scratch)  # What is made at first use.
        for clients in words.clients:
            before = server.processor()
            figures = wrk(server.port, bodies, clients, words.seconds, scratch)
            figures["processor"] = (server.processor() - before) * 1000 / figures["requests"]
            figures["errors"] = figures["status"] + figures["socket"]
            figures |= {"side": server.side.name, "form": form, "clients": clients}
            found.append({**figures, "agreement": agreement, "resident": server.resident()})
            print(
                f"{server.side.name:<11}{form:<6}{clients:>3} clients {figures['rate']:7.0f}/s  "
                f"p50 {figures['p50']:6.1f}  p99 {figures['p99']:6.1f} ms  "
                f"errors {figures['errors']}  {figures['processor']:.2f} ms of processor",
                file=sys.stderr,
                flush=True,
            )
    return found


def load(words: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """All rounds; each starts every server anew."""
    found = []
    for number in range(words.rounds):
        for name in words.sides if number % 2 == 0 else words.sides[::-1]:
            folder = scratch / f"{number}-{name}"
            folder.mkdir()
            busy = os.getloadavg()[0]
            with start(SIDES[name], words, folder) as server:
                for figures in turn(server, words, folder):
                    found.append({**figures, "round": number, "load_before": busy})
    return found


def start(side: Side, words: argparse.Namespace, folder: Path) -> Any:
    return running(side, words.export, words.version, folder, words.items[0], words.peers)


def table(found: list[dict[str, Any]], words: argparse.Namespace) -> str:
    """A table a form: medians of the rounds, and the range of the rates."""
    out = []
    for form in words.forms:
        heads = [f"{clients} client{'s'[: clients > 1]}" for clients in words.clients]
        out += [f"{form}:", ""]
        out.append("| server | " + " | ".join(heads) + " | processor ms | MB | errors |")
        out.append("|---|" + "---|" * len(heads) + "--:|--:|--:|")
        for side in words.sides:
            cells = []
            mine = [one for one in found if (one["side"], one["form"]) == (side, form)]
            for clients in words.clients:
                those = [one for one in mine if one["clients"] == clients]
                rates = [one["rate"] for one in those]
                p50, p99 = (median(one[key] for one in those) for key in ("p50", "p99"))
                cells.append(
                    f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}); "
                    f"{p50:.1f}, {p99:.1f}"
                )
            busiest = [one for one in mine if one["clients"] == max(words.clients)]
            cells.append(f"{median(one['processor'] for one in busiest):.2f}")
            cells.append(f"{max(one['resident'] for one in mine):.0f}")
            cells.append(str(sum(one["errors"] for one in mine)))
            out.append(f"| {side} | " + " | ".join(cells) + " |")
        out.append("")
    bare = ", ".join(f"{ms:.2f} ms of {n}" for n, ms in words.reference["milliseconds"].items())
    return "\n".join([*out, f"The bare call on JPEG files, median of a batch: {bare}."])


# Soak.


def soak(words: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Resident memory while all forms are asked for, and damaged images among them."""
    side, sizes = SIDES["zoo"], []
    mixed = [line for form in FORMS for line in lines(side, form, words.items)]
    random.Random(0).shuffle(mixed)
    cut = {"instances": [{"b64": "/9j/4AAQSkZJRgABAQAAAQABAAD/2w=="}]}
    for at in random.Random(1).sample(range(len(mixed)), round(words.damaged * len(mixed))):
        mixed[at] = f"{side.path('jpeg')} {json.dumps(cut)}"
    total = refused = broken = 0
    with start(side, words, scratch) as server:
        fresh = server.resident()
        pace = wrk(server.port, mixed, SOAK_CLIENTS, 3, scratch)
        total += pace["requests"]
        while total < words.soak:
            seconds = max(1, round(SOAK_STEP / pace["rate"]))
            pace = wrk(server.port, mixed, SOAK_CLIENTS, seconds, scratch)
            total += pace["requests"]
            refused += pace["status"]
            broken += pace["socket"]
            sizes.append((total, server.resident()))
            print(f"{total:>8} requests  {sizes[-1][1]:7.1f} MB  {pace['rate']:.0f}/s", flush=True)
        time.sleep(2)
        rest = server.resident()
        right = server.best("jpeg", words.items[0]) == words.reference["best"][0]
    half = sizes[len(sizes) // 2 :]
    grown = 10_000 * slope(half)
    print(
        f"{total} requests: {fresh:.1f} MB before, {rest:.1f} MB after; over the last half "
        f"{grown:+.2f} MB in 10,000 requests, values within "
        f"{max(mb for _, mb in half) - min(mb for _, mb in half):.1f} MB. {refused} damaged images "
        f"refused, {broken} connections broken. A right request is {'right' if right else 'WRONG'}."
    )
    return {
        "damaged": words.damaged, "before": fresh, "sizes": sizes, "after": rest, "grown": grown,
        "refused": refused, "broken": broken, "right": right,
    }  # fmt: skip


def slope(points: list[tuple[int, float]]) -> float:
    """MB a request, by least squares."""
    x = sum(a for a, _ in points) / len(points)
    y = sum(b for _, b in points) / len(points)
    spread = sum((a - x) ** 2 for a, _ in points)
    return sum((a - x) * (b - y) for a, b in points) / spread if spread else 0.0


# Malformed.


def wrong(words: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Wrong requests, and a right one after every hundred."""
    rng = random.Random(words.seed)
    counts: dict[str, collections.Counter[str]] = {}
    surprises: list[dict[str, Any]] = []
    plain = 0  # Answers 4xx whose body is not {"error": "..."}: given before the application.
    items, best = words.items, words.reference["best"]
    with start(SIDES["zoo"], words, scratch) as server:
        before = server.resident()
        for number in range(words.malformed):
            made = malformed.draw(rng, items)
            began = time.monotonic()
            try:
                ends = made.rule == "unfinished"
                status, body = malformed.send(server.port, made.raw, ends)
            except OSError as error:
                status, body = 0, repr(error).encode()
            took = time.monotonic() - began
            counts.setdefault(made.kind, collections.Counter())[str(status)] += 1
            if not made.allows(status) or took > malformed.SECONDS / 2:
                sent = made.raw[:400].decode("latin-1")
                surprises.append(
                    {"number": number, "kind": made.kind, "status": status, "seconds": took,
                     "sent": sent, "answer": body[:300].decode("latin-1")}
                )  # fmt: skip
            elif status and status != 200 and not malformed.says_why(body):
                plain += 1
            if (number + 1) % CHECK_EVERY == 0:
                at = number // CHECK_EVERY % len(items)
                for form in FORMS:
                    if server.best(form, items[at]) != best[at]:
                        surprises.append({"number": number, "kind": f"right request, {form}"})
        same = sum(server.best("jpeg", one) == of for one, of in zip(items, best, strict=True))
        after = server.resident()
        alive = server.process.poll() is None
    print("| kind | answers |\n|---|---|")
    for kind, counter in sorted(counts.items()):
        print(f"| {kind} | {', '.join(f'{n} x {status}' for status, n in counter.most_common())} |")
    print(
        f"\n{words.malformed} wrong requests, {len(surprises)} answers against the rules; {plain} "
        f"refusals without an error in JSON. Then {same} of {len(items)} right requests were "
        f"right; the server {'runs' if alive else 'has ended'}; {before:.0f} MB before, "
        f"{after:.0f} after."
    )
    for surprise in surprises[:20]:
        print(json.dumps(surprise))
    return {
        "counts": counts, "surprises": surprises, "plain": plain, "right": same, "alive": alive,
        "before": before, "after": after,
    }  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="their virtual environments")
    parser.add_argument("--sides", nargs="+", choices=SIDES, help="all there are")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--seconds", type=int, default=6, help="of load for each figure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=250, help="images")
    parser.add_argument("--soak", type=int, metavar="REQUESTS")
    parser.add_argument(
        "--damaged", type=float, default=0.0, metavar="SHARE", help="of --soak's requests"
    )
    parser.add_argument("--malformed", type=int, metavar="REQUESTS")
    parser.add_argument("--seed", type=int, default=0, help="of --malformed")
    parser.add_argument("--json", type=Path, metavar="FILE")
    words = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("`wrk` is not installed. On Debian: apt install wrk")
    own = [name for name, side in SIDES.items() if side.peer is None]
    words.sides = words.sides or (list(SIDES) if words.peers else own)
    if words.peers is None and not set(words.sides) <= set(own):
        parser.error("--sides: the peers need --peers DIR, where they are installed")
    words.export = words.export.resolve()
    words.peers = words.peers and words.peers.resolve()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        scratch = Path(name)
        words.version, words.items, words.reference = prepare(
            words.export, words.images, words.count, scratch
        )
        document: dict[str, Any] = {"date": date.today().isoformat(), "pins": PINS}
        document |= {"reference": words.reference["milliseconds"], "images": len(words.items)}
        if words.soak:
            document["soak"] = soak(words, scratch)
        if words.malformed:
            document["malformed"] = wrong(words, scratch)
        if not (words.soak or words.malformed):
            document["load"] = load(words, scratch)
            print(table(document["load"], words))
    if words.json:
        words.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
