"""A real browser for the tests of pages: Debian's chromium and chromedriver.

CHROMIUM and CHROMEDRIVER may hold paths to others. Without a browser the tests are skipped; with
ZOO_REQUIRE_BROWSER=1 they fail.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")


def required() -> bool:
    """Whether a missing browser fails the tests."""
    return os.environ.get("ZOO_REQUIRE_BROWSER") == "1"


def started(profile: Path) -> Any:
    """A headless Chromium without a network beyond the loopback; the caller quits it."""
    if not required():
        pytest.importorskip("selenium")
    from selenium import webdriver

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    chromedriver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
    if not (chromium and chromedriver):
        if required():
            pytest.fail("no browser: chromium and chromedriver must be installed")
        pytest.skip("no browser: chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",  # There is none for root, as which a container's tests run.
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--window-size=1000,900",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(chromedriver))


def complaints(browser: Any) -> list[str]:
    """What the console said since the last call."""
    return [entry["message"] for entry in browser.get_log("browser")]


def show_at(browser: Any, width: int, look: str) -> None:
    """Set the width of the screen in CSS pixels, and the look (light or dark) that it prefers."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": look},
        {"name": "prefers-reduced-motion", "value": "reduce"},  # A click waits for no scrolling.
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def axe(browser: Any) -> list[str]:
    """What axe-core finds serious or critical, as a line for each element."""
    if not AXE.is_file():
        if os.environ.get("ZOO_REQUIRE_NODE") == "1":
            pytest.fail("no axe-core: npm ci --prefix tests/node")
        pytest.skip("no axe-core: npm ci --prefix tests/node")
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document).then((result) => done(result.violations), (error) => done(`${error}`));"
    )
    assert isinstance(found, list), found
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
