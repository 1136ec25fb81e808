"""Writes the recipe's text: what was found on top, and beside each choice its reason. Light."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from zoo.new.choose import Chosen, Conv
from zoo.new.findings import Findings
from zoo.recipe.yaml_reader import plain

WIDTH = 100
REASONS = 46  # the column in which reasons start, where the line leaves room
NAMED = 10


def recipe_text(found: Findings, chosen: Chosen, file: str) -> str:
    """The recipe; `file` is what the user calls it."""
    lines = [
        *_header(found, file),
        f"name: {_scalar(found.name)}",
        _line("seed: 0", "the same seed gives the same weights on the same machine"),
        *_data(found, chosen),
        *_model(chosen),
        *_train(found, chosen),
    ]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Roughly: `under a minute`, `4 min`, `2 h`."""
    if seconds < 60:
        return "under a minute"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _header(found: Findings, file: str) -> list[str]:
    rows = [
        ("images", found.images_line()),
        ("sizes", f"{found.sizes_line()} (height x width)"),
        ("colours", found.colours_line()),
        ("balance", found.balance_line()),
        *(("note", note) for note in found.all_notes()),
    ]
    rows += [("bad", f"{path}: {reason}") for path, reason in found.bad[:NAMED]]
    if len(found.bad) > NAMED:
        rows.append(("bad", f"and {len(found.bad) - NAMED} more: `zoo new --json` lists them"))
    lines = [
        *_comment(f"zoo train {file}"),
        *_comment(f"Written by zoo new after a look at {found.place}"),
        "#",
    ]
    for title, text in rows:
        lines += _comment(text, f"# {title:8} ", "#" + " " * 10)
    return lines


def _data(found: Findings, chosen: Chosen) -> list[str]:
    height, width = chosen.image_size
    lines = [
        "data:",
        f"  source: {_flow(found.source)}",
        _line(f"  image_size: [{height}, {width}]", _size_reason(found, chosen)),
    ]
    if chosen.crop_to_aspect_ratio:
        lines.append(_line("  crop_to_aspect_ratio: true", "shapes vary: cut, do not squeeze"))
    lines += [
        _line("  color_mode: grayscale", "all images are grey")
        if chosen.grey
        else _line("  color_mode: rgb", ""),
        _line("  preprocess: channel_meanstd", "statistics of the training images alone"),
        *_augment(chosen),
    ]
    if found.bad:
        lines += _comment(
            f"{_files(len(found.bad))} cannot be used (above), and training stops at them. Repair "
            "or remove them, or take the mark off the next line to leave them out:",
            "  # ",
        )
        lines.append("  # on_bad_image: skip")
    return lines


def _size_reason(found: Findings, chosen: Chosen) -> str:
    if chosen.exact:
        return "the images' own size"
    if not found.sizes:
        return "the images' size is not known: set it to theirs, or smaller"
    height, width = found.median_size
    if height * width > 1.3 * chosen.image_size[0] * chosen.image_size[1]:
        return "for speed; larger (multiples of 16) sees more and takes longer"
    return "near the median size"


def _augment(chosen: Chosen) -> list[str]:
    steps = []
    if chosen.no_flip is None:
        text = "    - random_flip: horizontal"
        steps.append(_line(text, "leave out where left and right differ, as in text"))
    if chosen.crop_padding:
        text = f"    - random_crop: {{padding: {chosen.crop_padding}}}"
        steps.append(_line(text, "shifts by up to an eighth of the side"))
    lines = ["  augment:", *steps] if steps else []
    if chosen.no_flip is not None:
        lines += _comment(f"No random_flip: {chosen.no_flip}.", "    # " if steps else "  # ")
    return lines


def _model(chosen: Chosen) -> list[str]:
    height, width = chosen.last_map
    last = f"the last map is {height} x {width}"
    lines = [
        "model:",
        _line("  stack:", "each conv: 3x3 kernels (He) - batch norm - ReLU"),
        *(_conv(conv) for conv in chosen.convs),
        _line("    - flatten", f"{last}, and in small images the place matters")
        if chosen.flatten
        else _line("    - global_pool: average", f"{last}; its mean goes to the classes"),
    ]
    if chosen.dropout:
        text = f"    - dropout: {chosen.dropout:g}"
        lines.append(_line(text, "the fewer images, the more"))
    return lines


def _conv(conv: Conv) -> str:
    return f"    - conv: {{filters: {conv.filters}{', pool: max' * conv.pool}}}"


def _train(found: Findings, chosen: Chosen) -> list[str]:
    time = f"about {duration(chosen.seconds)} on two CPU cores, estimated"
    if not found.images:
        time = "the number of images is not known: fewer if there are many"
    lines = [
        "train:",
        _line(f"  epochs: {chosen.epochs}", time),
        _line(f"  batch_size: {chosen.batch_size}", "leaves no last batch of one image"),
        _line("  optimizer: {Adam: {learning_rate: 2e-3}}", "the peak of the schedule"),
        _line(
            f"  schedule: {{one_cycle: {{warmup_epochs: {chosen.warmup_epochs}}}}}",
            "up, then down to zero",
        ),
        _line(
            "  # early_stopping: {patience: 10}",
            "off: the best epoch is kept anyway, and the schedule wants its end",
        ),
    ]
    return [line for line in lines if line]


def _line(text: str, reason: str) -> str:
    """A line with its reason beside it, or above where both are too long."""
    if not reason:
        return text
    beside = f"{text:{REASONS - 2}}  # {reason}"
    if len(beside) <= WIDTH:
        return beside
    closer = f"{text}  # {reason}"
    if len(closer) <= WIDTH:
        return closer
    indent = text[: len(text) - len(text.lstrip())]
    return "\n".join([*_comment(reason, f"{indent}# "), text])


def _comment(text: str, first: str = "# ", rest: str | None = None) -> list[str]:
    """Lines of a comment. File names may hold anything: nothing may end the comment."""
    safe = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return textwrap.wrap(
        safe,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _flow(value: Any) -> str:
    """Plain data as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if value is None:
        return "none"
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    """Text in quotes unless it is a plain word."""
    simple = all(letter.isalnum() or letter in "._-/" for letter in text) and text.isascii()
    if simple and isinstance(plain(text), str) and text != "none" and text[:1] not in "-.":
        return text
    # JSON's strings are YAML's; characters that YAML forbids must be escaped.
    return json.dumps(text, ensure_ascii=not text.isprintable())
