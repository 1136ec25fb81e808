"""The digits, and TFDS builders, described without a download."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.new.conftest import write_recipe
from zoo.plan import num_classes


def test_digits(tmp_path: Path) -> None:
    result, loaded, _ = write_recipe("digits", tmp_path / "out.yaml")
    assert loaded.image_shape == (8, 8, 1)
    assert result.findings.images == {"train": 1257, "validation": 180, "test": 360}
    assert [step.word for step in loaded.model.stack] == ["conv", "conv", "flatten", "dropout"]


@pytest.mark.slow
@pytest.mark.parametrize("prepared", [False, True])
def test_tfds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: bool) -> None:
    """A builder is described without a download, and better where it is prepared."""
    pytest.importorskip("tensorflow_datasets")
    from zoo.datasets import tfds_builder
    from zoo.recipe.source import Tfds

    find = tfds_builder.find
    here = Tfds(name="digits", data_dir=str(tmp_path))
    monkeypatch.setattr(tfds_builder, "find", lambda options: find(here))
    if prepared:
        tfds_builder.prepare(find(here), here)
    result, loaded, _ = write_recipe("tfds:digits", tmp_path / "out.yaml")
    assert loaded.image_shape == (8, 8, 1)
    assert num_classes(loaded) == 10
    assert bool(result.findings.images) == prepared
    assert (result.findings.imbalance is not None) == prepared
    assert any("zoo train will download it" in note for note in result.findings.notes) != prepared
