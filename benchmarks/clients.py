"""Compares clients without zoo with the predictions of a run.

    python benchmarks/clients.py RUN IMAGES [--count 1000]

RUN was exported in all formats; IMAGES is a folder of image files that training has not seen. The
clients are curl and requests against `zoo serve`, ONNX Runtime and the LiteRT interpreter on images
that Pillow decodes, and Keras with its own loader, each in a process in which `import zoo` fails.
Prints for each client the number of images, equal first classes and the largest difference.
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
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.images.rglob("*") if path.is_file())
    files = [str(path.absolute()) for path in paths[:: max(1, len(paths) // arguments.count)]]
    files = files[: arguments.count]
    output = json.loads(_zoo("predict", arguments.run, *files, "--json", "--top", "1000"))
    expected = output["predictions"]
    sys.path.insert(0, str(ROOT))
    from zoo.rundir import Run

    run = Run.open(Path(arguments.run).absolute())
    name = run.info()["name"]
    formats = ("saved_model", "onnx", "keras", "litert")
    exports = {format: run.export_folder(format) / name / "1" for format in formats}
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
        models = {
            "onnxruntime": exports["onnx"] / "model.onnx",
            "LiteRT": exports["litert"] / "model.tflite",
            "Keras": exports["keras"] / "model.keras",
        }
        for client, script in CLIENTS.items():
            _compare(client, script, str(models.get(client, url)), files, expected, manifest)
    finally:
        server.terminate()
        server.wait(30)


def _zoo(*arguments: str) -> str:
    command = [sys.executable, "-m", "zoo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"zoo {arguments[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


def _compare(
    client: str,
    script: str,
    target: str,
    files: list[str],
    expected: list[dict[str, Any]],
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
    found = powers / powers.sum(axis=1, keepdims=True)
    names = manifest["classes"]
    probabilities = np.array(
        [
            [entry["probabilities"][entry["classes"].index(label)] for label in names]
            for entry in expected
        ]
    )
    same = int((found.argmax(axis=1) == probabilities.argmax(axis=1)).sum())
    difference = np.abs(found - probabilities).max()
    print(
        f"{client:36s} {len(files)} images, {same} equal, differs by {difference:.1e}", flush=True
    )


if __name__ == "__main__":
    main()
