"""Clients that know nothing of zoo, against what a run predicts: the same first class?

    python benchmarks/clients.py RUN IMAGES [--count 1000]

RUN was exported in all formats; IMAGES is a folder of image files that training has not seen. Asks
each export as a stranger would: curl and requests against `zoo serve`, onnxruntime and the LiteRT
interpreter with images that Pillow decodes, Keras with its own loader; each in a process in which
`import zoo` fails. Prints a line a client: images, equal first classes, the largest difference.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

COMMON = """
import base64, json, sys
sys.modules["zoo"] = None
import numpy as np
files, target = json.load(open(sys.argv[1])), sys.argv[2]
def chunks(n):
    return [files[i:i + n] for i in range(0, len(files), n)]
def pixels(paths, height, width, mode):
    from PIL import Image
    made = []
    for path in paths:
        image = Image.open(path).convert(mode)
        image = image.resize((width, image.height), Image.Resampling.BILINEAR)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        made.append(np.asarray(image, np.float32).reshape(height, width, -1))
    return np.stack(made)
def b64(path):
    return {"b64": base64.b64encode(open(path, "rb").read()).decode()}
rows = []
"""

CLIENTS = {
    "curl, a file a request": """
import subprocess, tempfile
for path in files:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump({"instances": [b64(path)]}, body); body.flush()
        out = subprocess.run(["curl", "-s", target, "-d", "@" + body.name], capture_output=True)
    rows += [p["logits"] for p in json.loads(out.stdout)["predictions"]]
""",
    "requests, serving_default, rows": """
import requests
for part in chunks(32):
    out = requests.post(target, json={"instances": [b64(p) for p in part]}).json()
    rows += [p["logits"] for p in out["predictions"]]
""",
    "requests, serving_default, columns": """
import requests
for part in chunks(32):
    out = requests.post(target, json={"inputs": {"image_bytes": [b64(p) for p in part]}}).json()
    rows += out["outputs"]["logits"]
""",
    "requests, serve_uint8": """
import requests
for part in chunks(32):
    fed = pixels(part, HEIGHT, WIDTH, MODE).astype(int).tolist()
    out = requests.post(target, json={"signature_name": "serve_uint8", "instances": fed}).json()
    rows += [p["logits"] for p in out["predictions"]]
""",
    "requests, serve_float": """
import requests
for part in chunks(32):
    fed = pixels(part, HEIGHT, WIDTH, MODE).tolist()
    out = requests.post(target, json={"signature_name": "serve_float", "instances": fed}).json()
    rows += [p["logits"] for p in out["predictions"]]
""",
    "onnxruntime": """
import onnxruntime
session = onnxruntime.InferenceSession(target)
for part in chunks(64):
    fed = pixels(part, HEIGHT, WIDTH, MODE)
    rows += session.run(["logits"], {"images": fed})[0].tolist()
""",
    "LiteRT": """
from ai_edge_litert.interpreter import Interpreter
runner = Interpreter(model_path=target).get_signature_runner("serving_default")
for part in chunks(64):
    rows += runner(images=pixels(part, HEIGHT, WIDTH, MODE))["logits"].tolist()
""",
    "Keras": """
import keras
model = keras.saving.load_model(target)
rows = np.log(model.predict(pixels(files, HEIGHT, WIDTH, MODE), verbose=0) + 1e-38).tolist()
""",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--count", type=int, default=1000)
    words = parser.parse_args()
    found = sorted(path for path in words.images.rglob("*") if path.is_file())
    chosen = [str(path.absolute()) for path in found[:: max(1, len(found) // words.count)]]
    chosen = chosen[: words.count]
    told = json.loads(_zoo("predict", words.run, *chosen, "--json", "--top", "1000"))
    wanted = told["predictions"]
    sys.path.insert(0, str(ROOT))
    from zoo.rundir import Run

    run = Run.open(Path(words.run).absolute())
    name = run.info()["name"]
    exports = {format: run.export_folder(format) / name / "1" for format in ("saved_model", "onnx")}
    exports |= {format: run.export_folder(format) / name / "1" for format in ("keras", "litert")}
    extra = exports["saved_model"] / "assets.extra" / "manifest.json"
    manifest = json.loads(extra.read_text(encoding="utf-8"))
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "zoo",
            "serve",
            str(exports["saved_model"]),
            "--port",
            "0",
            "--json",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"] + f"/v1/models/{name}:predict"
        files = {
            "onnxruntime": exports["onnx"] / "model.onnx",
            "LiteRT": exports["litert"] / "model.tflite",
            "Keras": exports["keras"] / "model.keras",
        }
        for client, script in CLIENTS.items():
            _ask(client, script, str(files.get(client, url)), chosen, wanted, manifest)
    finally:
        server.terminate()
        server.wait(30)


def _zoo(*arguments: str) -> str:
    command = [sys.executable, "-m", "zoo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"zoo {arguments[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


def _ask(
    client: str,
    script: str,
    target: str,
    files: list[str],
    wanted: list[dict[str, Any]],
    manifest: dict[str, Any],
) -> None:
    import numpy as np

    image = manifest["image"]
    sizes = (
        f"HEIGHT, WIDTH, MODE = {image['height']}, {image['width']}, "
        f"{'L' if image['channels'] == 1 else 'RGB'!r}\n"
    )
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "files.json").write_text(json.dumps(files), encoding="utf-8")
        text = COMMON + sizes + script + 'json.dump(rows, open("rows.json", "w"))\n'
        (Path(work) / "client.py").write_text(text, encoding="utf-8")
        subprocess.run([sys.executable, "client.py", "files.json", target], cwd=work, check=True)
        logits = np.array(json.loads((Path(work) / "rows.json").read_text(encoding="utf-8")))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    names = manifest["classes"]
    expected = np.array(
        [
            [entry["probabilities"][entry["classes"].index(label)] for label in names]
            for entry in wanted
        ]
    )
    same = int((shares.argmax(axis=1) == expected.argmax(axis=1)).sum())
    apart = np.abs(shares - expected).max()
    print(f"{client:36s} {len(files)} images, {same} equal, differs by {apart:.1e}", flush=True)


if __name__ == "__main__":
    main()
