"""A server in a process of its own and its page in a browser, for tests/serve/test_page.py."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.runs import environment

SECONDS = 30
NAME = "pictures"

DROP = """
const [target, name, type, b64] = arguments;
const bytes = Uint8Array.from(atob(b64), (letter) => letter.charCodeAt(0));
const held = new DataTransfer();
held.items.add(new File([bytes], name, {type}));
for (const kind of ["dragenter", "dragover", "drop"])
  target.dispatchEvent(
    new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true}));
"""
PASTE = """
const [b64] = arguments;
const bytes = Uint8Array.from(atob(b64), (letter) => letter.charCodeAt(0));
const held = new DataTransfer();
held.items.add(new File([bytes], "image.png", {type: "image/png"}));
document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: held, bubbles: true}));
"""
CONTRASTS = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (rgb) => {
  const [r, g, b] = rgb.map((value) => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const [r, g, b, a = 1] = parse(getComputedStyle(element).backgroundColor);
    if (a > 0) return [r, g, b];
  }
  return [255, 255, 255];
};
const faint = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest("template, script, style")) continue;
  const [a, b] = [parse(getComputedStyle(element).color).slice(0, 3), ground(element)].map(light);
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < arguments[0]) faint.push(`${element.className} ${contrast.toFixed(2)}`);
}
return faint;
"""


class Server:
    """`zoo serve` in a process, which can be stopped and restarted on the same port."""

    def __init__(self, export: Path, log: Path, *options: str) -> None:
        self.export, self.log, self.options = export, log, options
        self.port = "0"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "zoo", "serve", str(self.export), "--port", self.port]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--json", *self.options],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text(encoding="utf-8")
        self.url: str = json.loads(line)["url"]
        self.port = self.url.rpartition(":")[2]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def refusal(self, data: bytes) -> str:
        """The server's own words about a file that it does not take."""
        body = {"instances": [{"b64": base64.b64encode(data).decode()}]}
        url = f"{self.url}/v1/models/{NAME}:predict"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, json.dumps(body).encode())
        with caught.value as answer:
            words: str = json.load(answer)["error"]
        return words


class Page:
    """What a user sees and does."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get(url)
        self.until(lambda: self.text("#name") != "Loading the model …")

    def until(self, holds: Callable[[], Any]) -> Any:
        return WebDriverWait(self.browser, SECONDS).until(lambda _: holds())

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements(By.CSS_SELECTOR, selector))

    def text(self, selector: str) -> str:
        return str(self.browser.find_element(By.CSS_SELECTOR, selector).text)

    def choose(self, *files: Path) -> None:
        """As the dialog of the input would."""
        self.browser.find_element(By.ID, "file").send_keys("\n".join(map(str, files)))

    def cards(self, count: int) -> list[Any]:
        """The cards from top to bottom, once there are so many and none is at work."""

        def settled() -> bool:
            busy = self.all(".card[aria-busy]")
            return len(self.all(".card")) == count and not busy

        self.until(settled)
        return self.all(".card")

    def complaint(self, count: int = 1) -> str:
        """What the newest of so many cards complains of."""
        (words,) = self.cards(count)[0].find_elements(By.CSS_SELECTOR, ".result .bad")
        return str(words.text)
