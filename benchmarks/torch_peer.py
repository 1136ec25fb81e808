"""Train a network of zoo's recipes in PyTorch, as an expert writes it; print one line of JSON.

    python benchmarks/torch_peer.py --net resnet20 --data FILE.npz --epochs 3 --json
    python benchmarks/torch_peer.py --net resnet20 --data FILE.npz --compile max-autotune --graph
    python benchmarks/torch_peer.py --net airbench94 --data FILE.npz --seeds 20 --json

FILE.npz holds x_train, uint8 (n, height, width, channels), y_train, int (n,), x_val and y_val. The
script needs PyTorch 2.11 or newer and NumPy, and nothing of zoo. The networks are zoo's to the
parameter, and so are batch size, optimizer, augmentation, loss and the learning rate of each step.
Differences:

- An epoch drops a last batch that is not full, as torch.compile makes one wish; the recipes without
  `drop_remainder` train on it. `--remainder` trains on it too, in a compilation of its own.
- bfloat16 is autocast's: weights, batch norm's statistics and the loss stay in float32, as under
  zoo's mixed_bfloat16. On a card float32 is TF32 in convolutions and matrix products.
- A 3x3 convolution of stride 2 pads both sides (benchmarks/torch_nets.py).
- Random numbers are PyTorch's: the same distributions, other draws.
- Adam's epsilon is added to the square root after its bias correction, not before.

airbench94 is the published method rather than recipes/airbench94.yaml: 9.9 epochs (`--epochs 10`
for the recipe's), weight decay of biases too, the first 5,000 images for the whitening layer. The
gradient of the bias of that layer is left out after 3 epochs, which saves a little time too.
airbench94-muon and airbench96 are as their recipes. Differences of all three from the published
scripts: --dtype float16 gives the published one (weights in float16), bfloat16 is autocast's;
images are normalised by the mean and deviation of the training images; the whitening's sums are in
float64; the seconds of a training leave out the evaluation, which the published ones include.
Their source is in benchmarks/torch_airbench.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import resource
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from torch_recipes import RECIPES

if TYPE_CHECKING:  # PyTorch may be missing, which `main` explains.
    import numpy as np
    from torch_training import Settings, Trainer

BEGIN = time.perf_counter()
MODES = ("none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
DTYPE_HELP = "default: bfloat16 on a card, else float32; float16, of the weights too: airbench only"
ARRAYS = ("x_train", "y_train", "x_val", "y_val")


def main() -> None:
    """Train, and print what was measured."""
    args = _arguments()
    if importlib.util.find_spec("torch") is None:
        raise SystemExit(
            "PyTorch is not installed here. Expected an environment with torch 2.11 or newer: "
            "pip install torch"
        )
    report = run(args)
    if args.json:
        print(json.dumps(report), flush=True)
    else:
        for key, value in report.items():
            print(f"{key:<22}{value}")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compile, train `args.seeds` times, and return the report."""
    import torch
    from torch_nets import multiply_adds
    from torch_training import Trainer

    notes: list[str] = []
    settings, recipe = _settings(args, notes), RECIPES[args.net]
    trainer = Trainer(settings, _load(args.data), notes)
    parameters = sum(of.numel() for of in trainer.net.parameters() if of.requires_grad)
    if parameters != recipe.parameters:
        raise SystemExit(f"{args.net}: {parameters:,} parameters, {recipe.parameters:,} in zoo")
    macs = multiply_adds(trainer.build(), trainer.images.normalise(trainer.x_val[:1]))
    ready = time.perf_counter()
    mode, graph = trainer.prepare()
    compile_seconds = time.perf_counter() - ready
    trainings = [_train(trainer, seed) for seed in range(args.seed, args.seed + args.seeds)]
    epoch_seconds = [seconds for training in trainings for seconds in training["epoch_seconds"]]
    images, steady = sum(trainer.sizes), median(epoch_seconds) if epoch_seconds else None
    return {
        "net": args.net,
        "framework": "torch",
        "torch": torch.__version__,
        **_machine(torch, settings.device),
        "dtype": settings.dtype,
        "compile": mode,
        "graph": graph,
        "notes": notes,
        "parameters": parameters,
        "multiply_adds": macs,
        "batch": recipe.batch,
        "images_per_epoch": images,
        "steps_per_epoch": len(trainer.sizes),
        "epochs": settings.epochs,
        "compile_seconds": compile_seconds,
        "epoch_seconds": epoch_seconds,
        "images_per_second": images / steady if steady else None,
        "training_seconds": trainings[0]["seconds"],
        "total_seconds": time.perf_counter() - BEGIN,
        **_memory(torch, settings.device),
        "cudagraph_skips": _cudagraph_skips(),
        "loss": trainings[0]["losses"][-1],
        "val_accuracy": trainings[0]["accuracy"],
        "trainings": trainings,
    }


def _settings(args: argparse.Namespace, notes: list[str]) -> Settings:
    import torch
    from torch_training import Settings

    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    on_card = device.type == "cuda"
    if on_card:
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    elif args.graph:
        notes.append("--graph: no CUDA device, so no CUDA graph")
    if args.dtype == "float16" and not RECIPES[args.net].whitens:
        raise SystemExit(f"--dtype float16: for airbench alone. Received --net {args.net}.")
    return Settings(
        net=args.net,
        epochs=args.epochs or RECIPES[args.net].epochs,
        dtype=args.dtype or ("bfloat16" if on_card else "float32"),
        mode=args.compile,
        graph=args.graph and on_card,
        keeps_remainder=args.remainder,
        device=device,
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    import numpy as np

    with np.load(path) as file:
        missing = [name for name in ARRAYS if name not in file]
        if missing:
            raise SystemExit(f"{path}: no {', '.join(missing)}. Expected {', '.join(ARRAYS)}.")
        return {name: file[name] for name in ARRAYS}


def _train(trainer: Trainer, seed: int) -> dict[str, Any]:
    training = trainer.train(seed)
    begin = time.perf_counter()
    accuracy = trainer.evaluate()
    evaluation_seconds = time.perf_counter() - begin
    return {
        "seed": seed,
        "seconds": training.seconds,
        "epoch_seconds": training.epochs,
        "losses": training.losses,
        "accuracy": accuracy,
        "accuracy_tta": trainer.evaluate(views=True) if trainer.recipe.whitens else None,
        "evaluation_seconds": evaluation_seconds,
    }


def _machine(torch: Any, device: Any) -> dict[str, Any]:
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return {"device": f"{platform.machine()} CPU, {torch.get_num_threads()} threads", "cuda": None}


def _memory(torch: Any, device: Any) -> dict[str, int]:
    """Peak memory; the tensors of CUDA graphs count as reserved, but not as allocated."""
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.type != "cuda":
        return {"peak_bytes": host, "peak_reserved_bytes": host, "peak_host_bytes": host}
    return {
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "peak_reserved_bytes": torch.cuda.max_memory_reserved(),
        "peak_host_bytes": host,
    }


def _cudagraph_skips() -> int | None:
    """How often torch.compile could not make a CUDA graph; None if it does not say."""
    try:
        from torch._dynamo.utils import counters

        return int(counters["inductor"]["cudagraph_skips"])
    except (ImportError, AttributeError, KeyError):
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains a network of zoo's recipes in PyTorch.")
    parser.add_argument("--net", choices=sorted(RECIPES), required=True)
    parser.add_argument("--data", type=Path, required=True, help="an .npz file; see above")
    parser.add_argument("--epochs", type=float, help="default: the recipe's")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help=DTYPE_HELP)
    parser.add_argument("--compile", choices=MODES, default="default")
    parser.add_argument("--graph", action="store_true", help="capture each step as a CUDA graph")
    parser.add_argument("--remainder", action="store_true", help="train on the last batch too")
    parser.add_argument("--device", help="default: cuda if there is one, else cpu")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's own")
    parser.add_argument("--seed", type=int, default=0, help="of the first training")
    parser.add_argument("--seeds", type=int, default=1, help="trainings after one compilation")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
