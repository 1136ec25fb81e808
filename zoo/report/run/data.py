"""Training images as they are and as the network sees them, and what the data hold. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.report.blocks import (
    Block,
    Cell,
    Column,
    Facts,
    Gallery,
    Heading,
    Section,
    Table,
    Text,
    Thumbnail,
)
from zoo.report.run.source import RunSource, shown_class, shown_name, uri
from zoo.text.counted import counted

MANY_CLASSES = 15
MAX_CLASSES = 1000  # That a table has rows for.
SPLITS = ("train", "validation", "test")
MAX_NOTES = 20


def section(source: RunSource) -> Section:
    """Return the section of the data."""
    return Section("Data", [*_facts(source), *_notes(source), *_counts(source)])


def samples_section(source: RunSource) -> Section:
    """Return the section of what the network sees."""
    title = "What the network sees"
    archive = source.samples
    if archive is None:
        return Section(title, [source.missing("Training images are missing", "samples")])
    index = archive.index
    samples = index.get("samples") or []
    if not samples:
        return Section(title, [Text("No training image was kept.")])

    def image(member: str, lines: list[str], sample: Mapping[str, Any]) -> Thumbnail:
        name = shown_name(sample.get("name") or "")
        description = f"training image of {sample['label']}: {lines[0]}"
        content = uri(archive.member(member))
        return Thumbnail(content, description, lines, name, pixelated=source.pixelated)

    blocks: list[Block] = [
        Heading("As they are"),
        Gallery(
            [
                image(s["original"], [shown_class(s["label"]), shown_name(s["name"])[-40:]]
                      if s.get("name") else [shown_class(s["label"])], s)
                for s in samples
            ],
            "Training images, decoded and brought to the recipe's size.",
            72,
        ),
    ]  # fmt: skip
    words = ", ".join(index.get("augmentations") or [])
    blocks.append(Heading("After augmentation"))
    draws = min(len(sample.get("augmented") or []) for sample in samples)
    for draw in range(draws):
        images = [
            image(s["augmented"][draw], [shown_class(_label_of(s, draw))], s) for s in samples
        ]
        caption = f"The same images after {words}: draw {draw + 1} of {draws}."
        blocks.append(Gallery(images, caption, 72))
    if not draws:
        blocks.append(Text("The recipe changes no image: data.augment is empty."))
    blocks += [Heading("After normalisation"), *_normalised(index, samples, image)]
    return Section(title, blocks)


def _label_of(sample: Mapping[str, Any], draw: int) -> str:
    labels = sample.get("augmented_labels") or []
    return str(labels[draw] if draw < len(labels) else sample["label"])


def _normalised(index: Mapping[str, Any], samples: list[Any], image: Any) -> list[Block]:
    word = index["normalisation"]
    members = [(sample["normalised"], sample) for sample in samples if sample.get("normalised")]
    if not members:
        return [
            Text(
                f"data.preprocess is {word}, which stretches all values alike: the images look as "
                "above."
            )
        ]
    low, high = index.get("normalised_range") or (-1.0, 1.0)
    caption = (
        f"The first draw after {word}: mid grey is 0, black {low:.3g}, white {high:.3g}. What lies "
        "beyond is cut off here, not in the network."
    )
    return [Gallery([image(m, [shown_class(s["label"])], s) for m, s in members], caption, 72)]


def _facts(source: RunSource) -> list[Block]:
    data = source.info.get("data") or {}
    facts = []
    for split in SPLITS:
        if data.get(split) is not None:
            facts.append((f"{split} images", f"{data[split]:,}"))
    if source.class_names:
        facts.append(("classes", f"{len(source.class_names):,}"))
    recipe = source.recipe
    if recipe is not None:
        height, width, channels = recipe.image_shape
        facts.append(
            ("size for the network", f"{height} × {width}, {counted(channels, 'channel')}")
        )
        facts.append(("source", shown_name(_source_words(recipe))))
    archive = source.samples
    sizes = (archive.index.get("original_sizes") or {}) if archive else {}
    if {"height", "width"} <= sizes.keys():
        (h0, h1, h2), (w0, w1, w2) = sizes["height"][:3], sizes["width"][:3]
        text = f"{h1} × {w1}"
        if (h0, w0) != (h2, w2):
            text += f" in the middle; height {h0} to {h2}, width {w0} to {w2}"
        facts.append(("size of the files (of a sample)", text))
    if data.get("streamed"):
        facts.append(("loading", "streamed: decoded anew in each epoch"))
    facts.append(("fingerprint", str(data.get("fingerprint") or "–")[:16]))
    return [Facts(facts)]


def _source_words(recipe: Any) -> str:
    source = recipe.data.source
    place = getattr(source.options, "path", None) or getattr(source.options, "name", None)
    return f"{source.word} {place}" if place else str(source.word)


def _notes(source: RunSource) -> list[Block]:
    data = source.info.get("data") or {}
    archive = source.samples
    blocks: list[Block] = []
    duplicates = archive.index.get("duplicates") if archive else None
    if isinstance(duplicates, Mapping):
        blocks.append(Text(_duplicate_words(duplicates)))
    elif archive is not None:
        blocks.append(
            Text(
                "Equal images were not looked for: the data are large, or are streamed.", soft=True
            )
        )
    notes = [shown_name(str(note)) for note in data.get("notes") or ()]
    blocks += [Text(f"Note: {note}.".replace("..", ".")) for note in notes[:MAX_NOTES]]
    if len(notes) > MAX_NOTES:
        blocks.append(Text(f"And {len(notes) - MAX_NOTES} more notes, in run.json."))
    return blocks


def _duplicate_words(duplicates: Mapping[str, int]) -> str:
    parts = []
    if duplicates.get("train"):
        parts.append(f"{counted(duplicates['train'], 'training image')} occur more than once")
    for split in ("validation", "test"):
        count = duplicates.get(f"{split}_in_train")
        if count:
            parts.append(f"{counted(count, f'{split} image')} are training images, too")
    if not parts:
        return "Duplicates: no two training images are equal, and no other split holds one of them."
    return f"Duplicates, pixel by pixel: {'; '.join(parts)}."


def _counts(source: RunSource) -> list[Block]:
    archive = source.samples
    names = [shown_class(name) for name in source.class_names]
    counts = archive.index.get("counts") if archive else None
    if not isinstance(counts, Mapping) or not names:
        return [source.missing("The images of each class were not counted", "samples")]
    columns = [split for split in SPLITS if len(counts.get(split) or ()) == len(names)]
    most = {split: max([*counts[split], 1]) for split in columns}
    first = columns[0] if columns else ""
    fewest = sorted(range(len(names)), key=lambda i: counts[first][i] if first else i)
    shown = sorted(fewest[:MAX_CLASSES])
    rest = f": the {len(shown):,} with the fewest" if len(shown) < len(names) else ""
    return [
        Table(
            f"Images of each class{rest}",
            ["class", *(Column(split, numeric=True) for split in columns)],
            [
                [
                    names[i],
                    *(
                        Cell(f"{counts[split][i]:,}", counts[split][i],
                             counts[split][i] / most[split])
                        for split in columns
                    ),
                ]
                for i in shown
            ],
            rows_shown=MANY_CLASSES,
        )
    ]  # fmt: skip
