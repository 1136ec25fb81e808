"""The site in a real browser, opened as files: both looks, wide and narrow screens, the search.

Needs a browser: tests/browser.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import browser as browsers
from tests.docs.site import built

pytestmark = pytest.mark.slow

PAGES = ["index", "training", "coming-from", "recipes/index", "recipes/googlenet-small"]
EXAMINED = ["index", "training", "recipes/googlenet-small"]
SCREENS = [(1440, "light"), (390, "light"), (1440, "dark"), (390, "dark")]
SECONDS = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = browsers.started(tmp_path_factory.mktemp("browser"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def site(share: Any) -> Path:
    return built(share)


def until(browser: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, SECONDS, 0.05).until(lambda _: browser.execute_script(condition))


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, browser: Any, site: Path) -> None:
    browsers.show_at(browser, *SCREENS[0])
    browser.get((site / f"{page}.html").as_uri())
    for width, look in SCREENS:
        browsers.show_at(browser, width, look)
        until(browser, f"return innerWidth === {width}")
        over = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, (width, look)
        scheme = "slate" if look == "dark" else "default"
        until(browser, f"return document.body.dataset.mdColorScheme === '{scheme}'")
        if page in EXAMINED and width == 1440:
            assert browsers.complaints(browser) == []
            assert browsers.axe(browser) == [], (width, look)
            browsers.complaints(browser)  # axe reads style sheets, which files do not let it.
    broken = "return [...document.images].filter((i) => i.complete && !i.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    assert browsers.complaints(browser) == []


def test_the_search_works_without_a_server(browser: Any, site: Path) -> None:
    browsers.show_at(browser, *SCREENS[0])
    browser.get((site / "index.html").as_uri())
    until(browser, "return document.querySelector('.md-search__input')")
    browser.find_element("css selector", ".md-search__input").send_keys("batch norm momentum")
    found = until(
        browser,
        "return [...document.querySelectorAll('.md-search-result__link')].map((a) => a.href)",
    )
    assert any("network.html" in address or "recipe.html" in address for address in found)
    assert browsers.complaints(browser) == []
