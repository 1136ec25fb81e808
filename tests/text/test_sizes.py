"""Numbers of bytes as people read them."""

from __future__ import annotations

import pytest

from zoo.text.sizes import size_text


@pytest.mark.parametrize(
    "size, text",
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (999_960_000, "1.0 GB"),
        (7 * 10**9, "7.0 GB"),
        (2e13, "20.0 TB"),
        (10**18, "1.0 EB"),
        (5e22, "5.0e+04 EB"),
    ],
)
def test_size_text(size: float, text: str) -> None:
    assert size_text(size) == text
