"""Writes the recipe's text: findings on top, and the reason beside each choice. Light."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from zoo.editor.modeline import modeline
from zoo.new.choose import Choices, Conv
from zoo.new.findings import Findings
from zoo.new.pixel_findings import ALPHA, DROP
from zoo.recipe.pixels import as_yaml
from zoo.recipe.yaml_reader import plain
from zoo.text.printable import one_line, quoted

WIDTH = 100
REASON_COLUMN = 46  # Column in which reasons start, if they fit.
MAX_BAD_LISTED = 10
PREPROCESS = "statistics of the training images alone"
MIN_BACKBONE_SIDE = 32  # Pixels, below which most networks of keras.applications take no images.


def recipe_text(findings: Findings, choices: Choices, file: str) -> str:
    """Returns the text of the recipe.

    Args:
        findings: what was found out about the images.
        choices: what was chosen for them.
        file: the recipe's path as the user writes it, quoted for a shell.
    """
    lines = [
        modeline(),
        *_header(findings, file),
        f"name: {_scalar(findings.name)}",
        _line("seed: 0", "the same seed gives the same weights on the same machine"),
        *_data(findings, choices),
        *_model(findings, choices),
        *_train(findings, choices),
    ]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Describes a duration roughly: `under a minute`, `about 4 min`, `about 2.0 h`."""
    if seconds < 60:
        return "under a minute"
    return f"about {f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'}"


def _header(findings: Findings, file: str) -> list[str]:
    rows = [
        ("images", findings.images_line()),
        ("sizes", f"{findings.sizes_line()} (height x width)"),
        ("colours", findings.colours_line()),
        ("balance", findings.balance_line()),
        *(("note", note) for note in findings.all_notes()),
    ]
    rows += [("bad", f"{quoted(path)}: {reason}") for path, reason in findings.bad[:MAX_BAD_LISTED]]
    if len(findings.bad) > MAX_BAD_LISTED:
        rows.append(
            ("bad", f"and {len(findings.bad) - MAX_BAD_LISTED} more: `zoo new --json` lists them")
        )
    lines = [
        *_comment(f"zoo train {file}"),
        *_comment(f"Written by zoo new after a look at {findings.place}"),
        "#",
    ]
    for title, text in rows:
        lines += _comment(text, f"# {title:8} ", "#" + " " * 10)
    return lines


def _data(findings: Findings, choices: Choices) -> list[str]:
    height, width = choices.image_size
    lines = [
        "data:",
        *_source(findings.source),
        _line(f"  image_size: [{height}, {width}]", _size_reason(findings, choices)),
    ]
    if choices.crop_to_aspect_ratio:
        lines.append(_line("  crop_to_aspect_ratio: true", "shapes vary: cut, do not squeeze"))
    lines += [
        _line("  color_mode: grayscale", _grey_reason(choices))
        if choices.grey
        else _line("  color_mode: rgb", ""),
        *_pixels(findings, choices),
        # A backbone wants none, and this is the default without one.
        *([] if findings.few_images else [_line("  preprocess: channel_meanstd", PREPROCESS)]),
        *_augment(choices),
    ]
    if findings.bad:
        lines += _comment(
            f"{_files(len(findings.bad))} cannot be used (above), and training stops at them. "
            "Repair or remove them, or take the mark off the next line to leave them out:",
            "  # ",
        )
        lines.append("  # on_bad_image: skip")
    return lines


def _source(source: Any) -> list[str]:
    """Returns the lines of the source; a table and shards have a line for each of their options."""
    word = next(iter(source)) if isinstance(source, dict) else source
    if word not in ("csv", "shards") or not isinstance(source[word], dict):
        return [f"  source: {_flow(source)}"]
    options = [f"      {key}: {_flow(value)}" for key, value in source[word].items()]
    return ["  source:", f"    {word}:", *options]


def _grey_reason(choices: Choices) -> str:
    return "transparency is grey" if choices.transparency == ALPHA else "all images are grey"


def _pixels(findings: Findings, choices: Choices) -> list[str]:
    """Returns the keys on transparency and depth, where the images need them."""
    lines, pixels = [], findings.pixels
    if choices.transparency is not None:
        reason = {
            ALPHA: "what they show is in their transparency alone",
            DROP: "their transparency shows nothing",
        }.get(choices.transparency, "transparent parts, as a viewer shows them; else: dropped")
        lines.append(_line(f"  transparency: {choices.transparency}", reason))
    if choices.value_range is not None:
        own = choices.value_range == pixels.limits
        reason = "becomes 0 to 255: the range of the training images"
        if not own:
            reason = "becomes 0 to 255: 99 % of the values of each training image"
        lines.append(_line(f"  value_range: {as_yaml(choices.value_range)}", reason))
    return lines


def _size_reason(findings: Findings, choices: Choices) -> str:
    if choices.exact:
        return "the images' own size"
    if not findings.sizes:
        return "the images' size is not known: set it to theirs, or smaller"
    height, width = findings.median_size
    if height * width > 1.3 * choices.image_size[0] * choices.image_size[1]:
        return "for speed; larger (multiples of 16) sees more and takes longer"
    return "near the median size"


def _augment(choices: Choices) -> list[str]:
    steps = []
    if choices.no_flip is None:
        text = "    - random_flip: horizontal"
        steps.append(_line(text, "leave out where left and right differ, as in text"))
    if choices.crop_padding:
        text = f"    - random_crop: {{padding: {choices.crop_padding}}}"
        steps.append(_line(text, "shifts by up to an eighth of the side"))
    lines = ["  augment:", *steps] if steps else []
    if choices.no_flip is not None:
        lines += _comment(f"No random_flip: {choices.no_flip}.", "    # " if steps else "  # ")
    return lines


def _model(findings: Findings, choices: Choices) -> list[str]:
    height, width = choices.last_map
    last = f"the last map is {height} x {width}"
    lines = [
        "model:",
        _line("  stack:", "each conv: 3x3 kernels (He) - batch norm - ReLU"),
        *(_conv(conv) for conv in choices.convs),
        _line("    - flatten", f"{last}, and in small images the place matters")
        if choices.flatten
        else _line("    - global_pool: average", f"{last}; its mean goes to the classes"),
    ]
    if choices.dropout:
        text = f"    - dropout: {choices.dropout:g}"
        lines.append(_line(text, "the fewer images, the more"))
    return lines + (_trained_before(choices) if findings.few_images else [])


def _trained_before(choices: Choices) -> list[str]:
    """Returns comments on networks that were trained before, from which few images gain most."""
    lines = []
    if min(choices.image_size) >= MIN_BACKBONE_SIDE:
        lines += _comment(
            "Few images: a network that was trained on many others learns more from them. In the "
            "place of the stack above, with image_size: [224, 224] (Keras downloads the weights "
            "of ImageNet once):",
            "  # ",
        )
        lines += [
            "  # stack:",
            "  #   - backbone: {name: EfficientNetB0, weights: imagenet, trainable: false}",
            "  #   - global_pool: average",
            "  #   - dropout: 0.2",
        ]
    lines += _comment(
        "A run of yours on similar images, with the same stack, is a start, too:", "  # "
    )
    return [*lines, "  # weights: {from: runs/NAME/RUN, exclude: [logits]}"]


def _conv(conv: Conv) -> str:
    return f"    - conv: {{filters: {conv.filters}{', pool: max' * conv.pool}}}"


def _train(findings: Findings, choices: Choices) -> list[str]:
    time = f"{duration(choices.seconds)} on two CPU cores, estimated"
    if not findings.images:
        time = "the number of images is not known: fewer if there are many"
    lines = [
        "train:",
        _line(f"  epochs: {choices.epochs}", time),
        _line(f"  batch_size: {choices.batch_size}", "leaves no last batch of one image"),
        *_loss(findings, choices),
        _line("  optimizer: {Adam: {learning_rate: 2e-3}}", "the peak of the schedule"),
        _line(
            f"  schedule: {{one_cycle: {{warmup_epochs: {choices.warmup_epochs}}}}}",
            "up, then down to zero",
        ),
        _line(
            "  # early_stopping: {patience: 10}",
            "off: the best epoch is kept anyway, and the schedule wants its end",
        ),
    ]
    return [line for line in lines if line]


def _loss(findings: Findings, choices: Choices) -> list[str]:
    """Returns the keys on the loss, where labels or rare classes need them."""
    lines = []
    if findings.multi_label:
        lines.append(_line("  loss: sigmoid", "an image has any number of classes"))
    if choices.class_weight:
        reason = f"the largest class has {findings.imbalance:.1f} times the smallest"
        lines.append(_line("  class_weight: balanced", reason))
    return lines


def _line(text: str, reason: str) -> str:
    """Returns a line with its reason beside it, or above if both do not fit."""
    if not reason:
        return text
    beside = f"{text:{REASON_COLUMN - 2}}  # {reason}"
    if len(beside) <= WIDTH:
        return beside
    closer = f"{text}  # {reason}"
    if len(closer) <= WIDTH:
        return closer
    indent = text[: len(text) - len(text.lstrip())]
    return "\n".join([*_comment(reason, f"{indent}# "), text])


def _comment(text: str, first: str = "# ", continuation_prefix: str | None = None) -> list[str]:
    """Wraps text into comment lines.

    Line breaks in file names are escaped: they would end the comment.
    """
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if continuation_prefix is None else continuation_prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _flow(value: Any) -> str:
    """Writes plain data as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    """Quotes text unless YAML reads it as the same text."""
    simple = all(letter.isalnum() or letter in "._-/" for letter in text) and text.isascii()
    if simple and isinstance(plain(text), str) and text != "none" and text[:1] not in "-.":
        return text
    # JSON's strings are YAML's; characters that YAML forbids must be escaped.
    return json.dumps(text, ensure_ascii=not text.isprintable())
