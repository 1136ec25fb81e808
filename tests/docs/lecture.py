"""Runs docs/lecture.ipynb, whose claims are assertions in it. Prints JSON.

usage: lecture.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FILE = Path(__file__).resolve().parents[2] / "docs" / "lecture.ipynb"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    book = nbformat.read(FILE, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    errors = [output["ename"] for output in outputs if output["output_type"] == "error"]
    print(json.dumps({"cells": len(book.cells), "outputs": len(outputs), "errors": errors}))


if __name__ == "__main__":
    main()
