"""Reports in a real browser: in both looks, on a wide and on a narrow screen.

Needs a browser: tests/browser.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import browser as browsers
from tests.report import searches, trained
from tests.report.pages import parts
from tests.report.run_folders import check_page, run_page
from zoo.report.blocks import Page
from zoo.report.page import render

pytestmark = pytest.mark.slow

# Name of a page -> what makes it.
PAGES: dict[str, Callable[[], Page]] = {
    "parts": parts, "run": run_page, "check": check_page, "search": searches.page,
    "several runs": trained.page,
}  # fmt: skip
SCREENS = [(1440, "light"), (390, "light"), (1440, "dark"), (390, "dark")]
EXAMINED = SCREENS[3:]  # By axe-core, which takes a second.
SECONDS = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = browsers.started(tmp_path_factory.mktemp("browser"))
    yield driver
    driver.quit()


def until(browser: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, SECONDS, 0.05).until(lambda _: browser.execute_script(condition))


def opened(browser: Any, folder: Path, make: Callable[[], Page], width: int, look: str) -> None:
    browsers.show_at(browser, width, look)
    file = folder / "page.html"
    file.write_text(render(make()), encoding="utf-8")
    browser.get(file.as_uri())
    until(browser, "return document.documentElement.dataset.ready !== undefined")


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, browser: Any, tmp_path: Path) -> None:
    opened(browser, tmp_path, PAGES[name], *SCREENS[0])
    for width, look in SCREENS:
        browsers.show_at(browser, width, look)
        where = f"{name} at {width} pixels, {look}"
        until(browser, f"return innerWidth === {width}")
        # Nothing sticks out of the screen.
        over = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, where
        until(
            browser,
            "return [...document.querySelectorAll('.plot')].every((plot) =>"
            " plot.querySelector('svg.main-svg, canvas'))",
        )
        assert browser.execute_script("return document.querySelector('#no-figures').hidden")
        if (width, look) in EXAMINED or (name == "parts" and look == "light"):
            assert browsers.axe(browser) == [], where
    assert browsers.complaints(browser) == []
    assert not browser.execute_script("return typeof broken !== 'undefined'")


def test_printed_page(browser: Any, tmp_path: Path) -> None:
    """On paper nothing that holds blocks is a grid: Chromium lets those overlap at a page's end."""
    opened(browser, tmp_path, parts, *SCREENS[0])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    grids = browser.execute_script(
        "return [...document.querySelectorAll('main, section, .gallery, .thumbs, .columns')]"
        ".map((each) => getComputedStyle(each).display)"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert {*grids} == {"block"}


def test_controls(browser: Any, tmp_path: Path) -> None:
    """Look, sorting, rows that are left out, cells of a matrix by mouse and by keys."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def all_of(selector: str) -> list[Any]:
        return list(browser.find_elements(By.CSS_SELECTOR, selector))

    opened(browser, tmp_path, parts, *SCREENS[0])
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.execute_script(ground)
    (look,) = all_of("#look")
    assert look.text == "Dark look"
    look.click()
    assert browser.execute_script(ground) != light
    assert look.text == "Light look"

    (table,) = all_of("#part-tables table")
    rows = "#part-tables tbody tr"
    assert [row.is_displayed() for row in all_of(rows)] == [True, True, False]
    all_of("#part-tables .all-rows")[0].click()
    assert all(row.is_displayed() for row in all_of(rows))
    head = table.find_elements(By.CSS_SELECTOR, "thead button")[1]
    numbers: dict[str, list[str]] = {}
    for order in ("descending", "ascending"):
        head.click()
        numbers[order] = [cell.text for cell in all_of("#part-tables tbody td")]
        assert all_of("#part-tables th[aria-sort]")[0].get_attribute("aria-sort") == order
    assert numbers == {"descending": ["1,000", "20", "–"], "ascending": ["20", "1,000", "–"]}

    cells = all_of(".matrix td button")
    cells[0].click()
    assert len(all_of(".shown img")) == 1
    cells[0].send_keys(Keys.ARROW_RIGHT)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert [cell.get_attribute("aria-expanded") for cell in cells] == ["false", "true"]
    assert len(all_of(".shown img")) == 1
    assert len(all_of(".shown .no-image")) == 1
    assert browsers.complaints(browser) == []
