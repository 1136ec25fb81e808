"""The page of `zoo serve` in a real browser, before the real server: clicks, keys, drops, failures.

Needs a browser: tests/browser.py.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import required, started
from tests.serve import models

if not required():
    pytest.importorskip("selenium")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from tests.serve.browser import CONTRASTS, DROP, NAME, PASTE, Page, Server  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page")
    models.pictures(folder / NAME / "1")
    server = Server(folder / NAME, folder / "log", "--max-body-mb", "1")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = started(tmp_path_factory.mktemp("browser"))
    yield driver
    driver.quit()


@pytest.fixture
def page(server: Server, browser: Any) -> Page:
    return Page(browser, server.url)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    result = {}
    for name, brightness in (("night", 5), ("dusk", 128), ("noon", 250)):
        result[name] = tmp_path / f"{name}.png"
        result[name].write_bytes(models.png(brightness, side=40))
    return result


def bars(card: Any) -> dict[str, str]:
    """{class: percentage} of a card, in order."""
    return {
        row.find_element(By.CLASS_NAME, "name").text: row.find_element(By.CLASS_NAME, "value").text
        for row in card.find_elements(By.CSS_SELECTOR, ".bars li")
    }


def share(text: str) -> float:
    """The number in a percentage."""
    return float(text.strip("<>% ")) / 100


def test_says_which_model_answers(page: Page) -> None:
    assert page.text("h1") == NAME
    assert page.browser.title == NAME
    assert page.text("#about") == (
        "version 1 · 3 classes · takes any image, resizes it to 8 × 8, colour"
    )
    assert not page.browser.find_element(By.ID, "notice").is_displayed()


def test_a_chosen_file(page: Page, server: Server, files: dict[str, Path]) -> None:
    """The classes and bars are the server's own, from the same bytes."""
    page.choose(files["night"])
    (card,) = page.cards(1)
    assert card.find_element(By.CLASS_NAME, "best").text == "dark"
    assert card.find_element(By.TAG_NAME, "h3").text.startswith("night.png · ")
    data = base64.b64encode(files["night"].read_bytes()).decode()
    url = f"{server.url}/v1/models/{NAME}:predict"
    body = json.dumps({"instances": [{"b64": data}]}).encode()
    with urllib.request.urlopen(url, body) as answer:
        (expected,) = json.load(answer)["predictions"]
    result = bars(card)
    assert list(result) == expected["classes"]
    for text, probability in zip(result.values(), expected["probabilities"], strict=True):
        assert share(text) == pytest.approx(probability, abs=0.001)
    for row in card.find_elements(By.CSS_SELECTOR, ".bars li"):
        fill, track = (row.find_element(By.CLASS_NAME, name) for name in ("fill", "track"))
        page.until(lambda fill=fill: not page.browser.execute_script(
            "return arguments[0].getAnimations().length", fill
        ))  # fmt: skip
        wide = fill.rect["width"] / track.rect["width"]
        assert wide == pytest.approx(share(row.find_element(By.CLASS_NAME, "value").text), abs=0.01)


def test_images_with_any_number_of_classes(page: Page, tmp_path: Path) -> None:
    """A card names all classes of a half and more, or none."""
    page.browser.execute_script("model.multiLabel = true")
    for number, (brightness, title) in enumerate([(5, "dark"), (96, "none of the classes")], 1):
        file = tmp_path / f"{brightness}.png"
        file.write_bytes(models.png(brightness, side=40))
        page.choose(file)
        card = page.cards(number)[0]
        assert card.find_element(By.CLASS_NAME, "best").text == title
        named = [name for name, text in bars(card).items() if share(text) >= 0.5]
        assert (", ".join(named) or "none of the classes") == title


def test_a_dropped_file(page: Page, files: dict[str, Path]) -> None:
    """On the marked area, and beside it, where a browser would leave the page."""
    data = base64.b64encode(files["noon"].read_bytes()).decode()
    for count, selector in enumerate((".drop", "h1"), start=1):
        target = page.browser.find_element(By.CSS_SELECTOR, selector)
        page.browser.execute_script(DROP, target, "noon.png", "image/png", data)
        assert page.cards(count)[0].find_element(By.CLASS_NAME, "best").text == "bright"
    assert not page.all("body.over")


def test_a_pasted_file(page: Page, files: dict[str, Path]) -> None:
    page.browser.execute_script(PASTE, base64.b64encode(files["dusk"].read_bytes()).decode())
    (card,) = page.cards(1)
    assert card.find_element(By.CLASS_NAME, "best").text == "middling"


def test_two_files_are_two_cards_newest_first(page: Page, files: dict[str, Path]) -> None:
    page.choose(files["night"], files["noon"])
    cards = page.cards(2)
    assert [card.find_element(By.CLASS_NAME, "best").text for card in cards] == ["bright", "dark"]
    page.choose(files["night"])  # Once more the same: it is shown again.
    cards = page.cards(3)
    assert cards[0].find_element(By.CLASS_NAME, "best").text == "dark"
    for card in cards:
        (shown,) = card.find_elements(By.TAG_NAME, "img")
        assert shown.get_property("naturalWidth") == 40


def test_many_files(page: Page, tmp_path: Path) -> None:
    """More than are sent at a time: each gets its own answer."""
    chosen = []
    for i in range(12):
        chosen.append(tmp_path / f"{i:02}.png")
        chosen[-1].write_bytes(models.png(250 if i % 2 else 5))
    page.choose(*chosen)
    result = [card.find_element(By.CLASS_NAME, "best").text for card in page.cards(12)]
    assert result == ["bright", "dark"] * 6


def test_keys_alone(page: Page, files: dict[str, Path]) -> None:
    """Tab reaches the input, then the buttons of a card; focus is never lost."""
    browser = page.browser
    active = browser.switch_to.active_element
    active.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "file"
    ring = "return getComputedStyle(document.querySelector('.drop')).outlineStyle"
    assert browser.execute_script(ring) == "solid"
    page.choose(files["night"], files["noon"])
    page.cards(2)
    browser.find_element(By.ID, "clear").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("aria-label") == "Remove noon.png"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    page.cards(1)
    assert browser.switch_to.active_element.get_attribute("aria-label") == "Remove night.png"
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    page.cards(0)
    assert browser.switch_to.active_element.get_attribute("id") == "file"
    assert not browser.find_element(By.ID, "answers").is_displayed()


def test_what_a_screen_reader_is_told(page: Page, files: dict[str, Path]) -> None:
    picker = page.browser.find_element(By.ID, "file")
    assert picker.accessible_name.startswith("Choose images, drop them here or paste one")
    log = page.browser.find_element(By.ID, "said")
    assert log.aria_role == "log"
    page.choose(files["night"])
    (card,) = page.cards(1)
    best = next(iter(bars(card).values()))
    assert log.get_property("textContent") == f"night.png: dark, {best}"
    (shown,) = card.find_elements(By.TAG_NAME, "img")
    assert shown.accessible_name == "The image night.png"


def test_a_broken_image(page: Page, server: Server, tmp_path: Path, files: dict[str, Path]) -> None:
    """The page shows the server's error, and the next image works."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(files["night"].read_bytes()[:30])
    page.choose(broken)
    words = server.refusal(broken.read_bytes())
    assert page.complaint() == f"The server says: {words}"
    assert page.text(".picture") == "no preview"
    assert not page.cards(1)[0].find_elements(By.XPATH, ".//button[text()='Try again']")
    page.choose(files["night"])
    assert page.cards(2)[0].find_element(By.CLASS_NAME, "best").text == "dark"


def test_files_that_are_no_images(page: Page, tmp_path: Path) -> None:
    """Files known not to be images are not sent; the server judges unknown ones."""
    notes, empty, unknown = (tmp_path / name for name in ("notes.txt", "empty.png", "unknown"))
    notes.write_text("no image", encoding="utf-8")
    empty.touch()
    unknown.write_bytes(models.png(5))
    page.choose(notes)
    assert page.complaint() == "This file is no image but text/plain. It was not sent."
    page.choose(empty)
    assert page.complaint(2) == "This file is empty. It was not sent."
    page.choose(unknown)
    assert page.cards(3)[0].find_element(By.CLASS_NAME, "best").text == "dark"


@pytest.mark.parametrize("size", [2_000_000, 30_000_000])
def test_an_image_too_large_for_the_server(
    page: Page, size: int, tmp_path: Path, files: dict[str, Path]
) -> None:
    """Bytes behind the image make the file large."""
    large = tmp_path / "large.png"
    large.write_bytes(files["night"].read_bytes() + b"\0" * size)
    page.choose(large)
    words = page.complaint()
    assert words.startswith(f"The image ({size / 1e6:.1f} MB) is too large. The server says: ")
    assert "1 MB" in words
    page.choose(files["night"])
    assert page.cards(2)[0].find_element(By.CLASS_NAME, "best").text == "dark"


def test_nothing_comes_from_elsewhere(page: Page, server: Server, files: dict[str, Path]) -> None:
    """Nor does the content security policy block anything."""
    page.browser.get_log("browser")
    page.browser.refresh()
    page.until(lambda: page.text("#name") == NAME)
    page.choose(files["night"])
    page.cards(1)
    loaded = page.browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert any(address.endswith(f"{NAME}:predict") for address in loaded)
    origins = (f"{server.url}/", f"blob:{server.url}/", "data:")
    assert [address for address in loaded if not address.startswith(origins)] == []
    assert page.browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_fits(page: Page, files: dict[str, Path], tmp_path: Path, scheme: str, width: int) -> None:
    """Nothing sticks out sideways, and text stands out from its ground (WCAG AA: 4.5)."""
    send = page.browser.execute_cdp_cmd
    send("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]
    })  # fmt: skip
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    send("Emulation.setDeviceMetricsOverride", metrics)
    try:
        long = tmp_path / f"{'a_long_name_' * 12}.png"
        long.write_bytes(files["night"].read_bytes())
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no image at all")
        page.choose(files["noon"], long, broken)
        page.cards(3)
        wide = page.browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
        assert page.browser.execute_script(CONTRASTS, 4.5) == []
    finally:
        send("Emulation.clearDeviceMetricsOverride", {})
        send("Emulation.setEmulatedMedia", {"features": []})


def test_a_model_that_takes_no_files(browser: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def arrays(images: Any) -> Any:
        return {"logits": tf.reduce_mean(images, axis=[1, 2])}

    signatures = {"serving_default": arrays.get_concrete_function()}
    tf.saved_model.save(tf.Module(), str(tmp_path / "arrays" / "1"), signatures)
    server = Server(tmp_path / "arrays", tmp_path / "log")
    try:
        page = Page(browser, server.url)
        assert page.text("h1") == "arrays"
        page.until(lambda: page.text("#notice").startswith("This model takes no image files: "))
        assert not browser.find_element(By.ID, "file").is_enabled()
    finally:
        server.stop()


def test_the_server_away_and_back(browser: Any, tmp_path: Path, files: dict[str, Path]) -> None:
    models.pictures(tmp_path / NAME / "1")
    server = Server(tmp_path / NAME, tmp_path / "log")
    try:
        page = Page(browser, server.url)
        page.choose(files["night"])
        page.cards(1)
        server.stop()
        page.choose(files["noon"])
        away = "The server does not answer. Is zoo serve still running?"
        assert page.complaint(2) == away
        page.until(lambda: page.text("#notice") == away)
        server.start()
        page.until(lambda: not browser.find_element(By.ID, "notice").is_displayed())
        (again,) = browser.find_elements(By.XPATH, "//button[text()='Try again']")
        again.click()
        cards = page.cards(2)
        assert [card.find_element(By.CLASS_NAME, "best").text for card in cards] == [
            "bright", "dark",
        ]  # fmt: skip
    finally:
        server.stop()
