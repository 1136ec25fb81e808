"""Measures `zoo serve` under load, against other Python servers with the same SavedModel.

    python benchmarks/serving.py EXPORT IMAGES                        zoo, with batching and without
    python benchmarks/serving.py EXPORT IMAGES --peers DIR            and KServe, MLServer, BentoML
    python benchmarks/serving.py EXPORT IMAGES --soak 50000           memory over so many requests
    python benchmarks/serving.py EXPORT IMAGES --soak 50000 --damaged 0.05
    python benchmarks/serving.py EXPORT IMAGES --malformed 2000       wrong requests, damaged images

EXPORT is export/saved_model/NAME of a run, IMAGES a folder with CLASS/*.jpg. Needs `wrk` (Debian:
apt install wrk), which posts the bodies that a Lua script reads from a temporary file. Each peer
has a virtual environment in DIR, made with pip if it is missing. Servers listen on the loopback
address only and run one at a time, in turns; the order is reversed from round to round. Results are
in docs/benchmarks.md.
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
CHECK_EVERY = 100  # Malformed requests between two checks with a good one.

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
    """The newest version, the images in all encodings, and the model's own answers."""
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
    """The folder of the newest version."""
    versions = [path for path in export.iterdir() if path.name.isdigit()] if export.is_dir() else []
    if not versions:
        raise SystemExit(f"{export}: no version folder in it. Expected export/saved_model/NAME.")
    return max(versions, key=lambda path: int(path.name))


def item(file: Path, height: int, width: int, channels: int) -> Item:
    """An image as JPEG, as PNG and as rows of pixels."""
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


def measure_server(
    server: Server, arguments: argparse.Namespace, scratch: Path
) -> list[dict[str, Any]]:
    """Measures all encodings and numbers of clients on one server."""
    found = []
    for encoding in arguments.forms:
        right = [server.best(encoding, item) for item in arguments.items]
        same = sum(a == b for a, b in zip(right, arguments.reference["best"], strict=True))
        agreement = same / len(right)
        if agreement < 0.9:
            raise SystemExit(
                f"{server.side.name}, {encoding}: the same class in {agreement:.0%} only."
            )
        bodies = lines(server.side, encoding, arguments.items)
        wrk(server.port, bodies, max(arguments.clients), 2, scratch)  # Warms up.
        for clients in arguments.clients:
            before = server.processor()
            figures = wrk(server.port, bodies, clients, arguments.seconds, scratch)
            figures["processor"] = (server.processor() - before) * 1000 / figures["requests"]
            figures["errors"] = figures["status"] + figures["socket"]
            figures |= {"side": server.side.name, "form": encoding, "clients": clients}
            found.append({**figures, "agreement": agreement, "resident": server.resident()})
            print(
                f"{server.side.name:<11}{encoding:<6}{clients:>3} clients "
                f"{figures['rate']:7.0f}/s  "
                f"p50 {figures['p50']:6.1f}  p99 {figures['p99']:6.1f} ms  "
                f"errors {figures['errors']}  {figures['processor']:.2f} ms of processor",
                file=sys.stderr,
                flush=True,
            )
    return found


def measure_all(arguments: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """Measures all rounds; each starts every server anew."""
    found = []
    for number in range(arguments.rounds):
        for name in arguments.sides if number % 2 == 0 else arguments.sides[::-1]:
            folder = scratch / f"{number}-{name}"
            folder.mkdir()
            busy = os.getloadavg()[0]
            with start(SIDES[name], arguments, folder) as server:
                for figures in measure_server(server, arguments, folder):
                    found.append({**figures, "round": number, "load_before": busy})
    return found


def start(side: Side, arguments: argparse.Namespace, folder: Path) -> Any:
    """Runs a server as a context."""
    return running(
        side, arguments.export, arguments.version, folder, arguments.items[0], arguments.peers
    )


def make_table(found: list[dict[str, Any]], arguments: argparse.Namespace) -> str:
    """A table for each encoding: medians of the rounds, and the range of the rates."""
    out = []
    for encoding in arguments.forms:
        heads = [f"{clients} client{'s'[: clients > 1]}" for clients in arguments.clients]
        out += [f"{encoding}:", ""]
        out.append("| server | " + " | ".join(heads) + " | processor ms | MB | errors |")
        out.append("|---|" + "---|" * len(heads) + "--:|--:|--:|")
        for side in arguments.sides:
            cells = []
            of_server = [
                figure for figure in found if (figure["side"], figure["form"]) == (side, encoding)
            ]
            for clients in arguments.clients:
                of_clients = [figure for figure in of_server if figure["clients"] == clients]
                rates = [figure["rate"] for figure in of_clients]
                p50, p99 = (median(figure[key] for figure in of_clients) for key in ("p50", "p99"))
                cells.append(
                    f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}); "
                    f"{p50:.1f}, {p99:.1f}"
                )
            busiest = [
                figure for figure in of_server if figure["clients"] == max(arguments.clients)
            ]
            cells.append(f"{median(figure['processor'] for figure in busiest):.2f}")
            cells.append(f"{max(figure['resident'] for figure in of_server):.0f}")
            cells.append(str(sum(figure["errors"] for figure in of_server)))
            out.append(f"| {side} | " + " | ".join(cells) + " |")
        out.append("")
    bare = ", ".join(f"{ms:.2f} ms of {n}" for n, ms in arguments.reference["milliseconds"].items())
    return "\n".join([*out, f"The bare call on JPEG files, median of a batch: {bare}."])


# Soak.


def soak(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Measures resident memory under requests of all encodings, with damaged images among them."""
    side, sizes = SIDES["zoo"], []
    mixed = [line for encoding in FORMS for line in lines(side, encoding, arguments.items)]
    random.Random(0).shuffle(mixed)
    cut = {"instances": [{"b64": "/9j/4AAQSkZJRgABAQAAAQABAAD/2w=="}]}
    for at in random.Random(1).sample(range(len(mixed)), round(arguments.damaged * len(mixed))):
        mixed[at] = f"{side.path('jpeg')} {json.dumps(cut)}"
    total = refused = broken = 0
    with start(side, arguments, scratch) as server:
        fresh = server.resident()
        pace = wrk(server.port, mixed, SOAK_CLIENTS, 3, scratch)
        total += pace["requests"]
        while total < arguments.soak:
            seconds = max(1, round(SOAK_STEP / pace["rate"]))
            pace = wrk(server.port, mixed, SOAK_CLIENTS, seconds, scratch)
            total += pace["requests"]
            refused += pace["status"]
            broken += pace["socket"]
            sizes.append((total, server.resident()))
            print(f"{total:>8} requests  {sizes[-1][1]:7.1f} MB  {pace['rate']:.0f}/s", flush=True)
        time.sleep(2)
        settled = server.resident()
        right = server.best("jpeg", arguments.items[0]) == arguments.reference["best"][0]
    half = sizes[len(sizes) // 2 :]
    grown = 10_000 * slope(half)
    print(
        f"{total} requests: {fresh:.1f} MB before, {settled:.1f} MB after; over the last half "
        f"{grown:+.2f} MB in 10,000 requests, values within "
        f"{max(mb for _, mb in half) - min(mb for _, mb in half):.1f} MB. {refused} damaged images "
        f"refused, {broken} connections broken. A right request is {'right' if right else 'WRONG'}."
    )
    return {
        "damaged": arguments.damaged, "before": fresh, "sizes": sizes, "after": settled,
        "grown": grown, "refused": refused, "broken": broken, "right": right,
    }  # fmt: skip


def slope(points: list[tuple[int, float]]) -> float:
    """MB a request: the slope by least squares."""
    x = sum(a for a, _ in points) / len(points)
    y = sum(b for _, b in points) / len(points)
    spread = sum((a - x) ** 2 for a, _ in points)
    return sum((a - x) * (b - y) for a, b in points) / spread if spread else 0.0


# Malformed.


def send_malformed(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Sends malformed requests, with a good one after every hundred."""
    rng = random.Random(arguments.seed)
    counts: dict[str, collections.Counter[str]] = {}
    surprises: list[dict[str, Any]] = []
    plain = 0  # Answers 4xx without {"error": "..."}: of the HTTP parser, before the application.
    items, best = arguments.items, arguments.reference["best"]
    with start(SIDES["zoo"], arguments, scratch) as server:
        before = server.resident()
        for number in range(arguments.malformed):
            request = malformed.draw(rng, items)
            began = time.monotonic()
            try:
                ends = request.rule == "unfinished"
                status, body = malformed.send(server.port, request.raw, ends)
            except OSError as error:
                status, body = 0, repr(error).encode()
            took = time.monotonic() - began
            counts.setdefault(request.kind, collections.Counter())[str(status)] += 1
            if not request.allows(status) or took > malformed.SECONDS / 2:
                sent = request.raw[:400].decode("latin-1")
                surprises.append(
                    {"number": number, "kind": request.kind, "status": status, "seconds": took,
                     "sent": sent, "answer": body[:300].decode("latin-1")}
                )  # fmt: skip
            elif status and status != 200 and not malformed.says_why(body):
                plain += 1
            if (number + 1) % CHECK_EVERY == 0:
                at = number // CHECK_EVERY % len(items)
                for encoding in FORMS:
                    if server.best(encoding, items[at]) != best[at]:
                        surprises.append({"number": number, "kind": f"right request, {encoding}"})
        same = sum(server.best("jpeg", item) == of for item, of in zip(items, best, strict=True))
        after = server.resident()
        alive = server.process.poll() is None
    print("| kind | answers |\n|---|---|")
    for kind, counter in sorted(counts.items()):
        print(f"| {kind} | {', '.join(f'{n} x {status}' for status, n in counter.most_common())} |")
    print(
        f"\n{arguments.malformed} wrong requests, {len(surprises)} answers against the rules; "
        f"{plain} refusals without an error in JSON. Then {same} of {len(items)} right requests "
        f"were right; the server {'runs' if alive else 'has ended'}; {before:.0f} MB before, "
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
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("`wrk` is not installed. On Debian: apt install wrk")
    own = [name for name, side in SIDES.items() if side.peer is None]
    arguments.sides = arguments.sides or (list(SIDES) if arguments.peers else own)
    if arguments.peers is None and not set(arguments.sides) <= set(own):
        parser.error("--sides: the peers need --peers DIR, where they are installed")
    arguments.export = arguments.export.resolve()
    arguments.peers = arguments.peers and arguments.peers.resolve()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        scratch = Path(name)
        arguments.version, arguments.items, arguments.reference = prepare(
            arguments.export, arguments.images, arguments.count, scratch
        )
        document: dict[str, Any] = {"date": date.today().isoformat(), "pins": PINS}
        document |= {
            "reference": arguments.reference["milliseconds"],
            "images": len(arguments.items),
        }
        if arguments.soak:
            document["soak"] = soak(arguments, scratch)
        if arguments.malformed:
            document["malformed"] = send_malformed(arguments, scratch)
        if not (arguments.soak or arguments.malformed):
            document["load"] = measure_all(arguments, scratch)
            print(make_table(document["load"], arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
