"""A client of yaml-language-server, the program behind YAML in VS Code, Neovim and others.

It speaks the Language Server Protocol over stdio: JSON-RPC, each message behind its length.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pytest

SERVER = Path(__file__).parent / "node/node_modules/yaml-language-server/bin/yaml-language-server"
# No registry of schemas on the Internet: a recipe's first line is all that the server is told.
SETTINGS = {
    "yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
}


class LanguageServer:
    """One process of the server, which opens documents one after the other."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not SERVER.is_file():
            missing = "Node.js, or `npm ci --prefix tests/node`"
            if os.environ.get("ZOO_REQUIRE_NODE"):
                pytest.fail(f"ZOO_REQUIRE_NODE is set, and there is no {missing}")
            pytest.skip(f"needs {missing}")
        self.process = subprocess.Popen(
            [node, str(SERVER), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.number = 0
        self.versions: dict[str, int] = {}
        self.problems: dict[str, list[dict[str, Any]]] = {}
        self.request("initialize", {
            "processId": os.getpid(),
            "rootUri": None,
            "capabilities": {
                "workspace": {"configuration": True},
                "textDocument": {"hover": {"contentFormat": ["markdown"]}},
            },
        })  # fmt: skip
        self.notify("initialized", {})
        self.notify("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def close(self) -> None:
        """End the process."""
        self.request("shutdown", None)
        self.notify("exit", None)
        self.process.wait(10)
        for stream in self._streams():
            stream.close()

    def open(self, file: Path, text: str | None = None) -> list[dict[str, Any]]:
        """Open a file and return the problems that the server underlines.

        Args:
            file: where the document lies.
            text: its text; None: that of the file.
        """
        return self.open_all({file: text})[file]

    def open_all(self, texts: Mapping[Path, str | None]) -> dict[Path, list[dict[str, Any]]]:
        """Open files together: the server waits a moment before it looks at one. See `open`."""
        names = {file: file.absolute().as_uri() for file in texts}
        for file, uri in names.items():
            text = texts[file]
            text = file.read_text("utf-8") if text is None else text
            version = self.versions[uri] = self.versions.get(uri, 0) + 1
            self.problems.pop(uri, None)
            if version == 1:
                document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
                self.notify("textDocument/didOpen", {"textDocument": document})
            else:
                document = {"uri": uri, "version": version}
                changes = [{"text": text}]
                self.notify(
                    "textDocument/didChange", {"textDocument": document, "contentChanges": changes}
                )
        while not set(names.values()) <= self.problems.keys():
            self._receive()
        return {file: self.problems[uri] for file, uri in names.items()}

    def hover(self, file: Path, line: int, column: int) -> str:
        """Return what is shown where the mouse rests, in Markdown; line and column from 0."""
        answer = self.request("textDocument/hover", self._at(file, line, column))
        return answer["contents"]["value"] if answer else ""

    def complete(self, file: Path, line: int, column: int) -> dict[str, dict[str, Any]]:
        """Return what may be written at a place, by its label; line and column from 0."""
        answer = self.request("textDocument/completion", self._at(file, line, column))
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return {item["label"]: item for item in items}

    def request(self, method: str, parameters: Any) -> Any:
        """Send a request and return its result."""
        self.number += 1
        own = self.number
        self._send({"id": own, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == own and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def notify(self, method: str, parameters: Any) -> None:
        """Send a message that has no answer."""
        self._send({"method": method, "params": parameters})

    def _at(self, file: Path, line: int, column: int) -> dict[str, Any]:
        return {
            "textDocument": {"uri": file.absolute().as_uri()},
            "position": {"line": line, "character": column},
        }

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream, _ = self._streams()
        stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        stream.flush()

    def _receive(self) -> dict[str, Any]:
        """Read one message; keep problems, and answer what the server asks."""
        _, stream = self._streams()
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            found = message["params"]
            self.problems[found["uri"]] = found["diagnostics"]
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        asked = message["params"]["items"]
        return [SETTINGS.get(item.get("section", ""), {}) for item in asked]
