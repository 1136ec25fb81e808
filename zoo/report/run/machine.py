"""Where and how long a run trained. Light."""

from __future__ import annotations

from zoo.report.blocks import Block, Column, Facts, Section, Table, Text
from zoo.report.run.source import RunSource, number_of, shown_name
from zoo.text.numbers import duration, short

LOOPS = {"device": "on the device", "host": "step by step"}
JOULES_PER_WATT_HOUR = 3600


def section(source: RunSource) -> Section:
    """Return the section of machine, time and versions."""
    info = source.info
    facts = [
        ("device", shown_name(str(info.get("device") or "–"))),
        ("backend", str(info.get("backend") or "–")),
        ("loop", LOOPS.get(str(info.get("loop")), "–")),
        ("training", duration(number_of(info, "seconds"))),
        ("compilation", duration(number_of(info, "compile_seconds"))),
        ("first step", duration(number_of(info, "first_step_seconds"))),
        ("images a second", short(number_of(info, "images_per_second"), 3)),
        ("seed", str(info.get("seed", "–"))),
    ]
    for key, name in (("devices", "devices"), ("processes", "processes")):
        if int(info.get(key) or 1) > 1:
            facts.append((name, str(info[key])))
    facts += _energy(source)
    facts += [
        ("started", shown_name(str(info.get("started") or "–"))),
        ("host", shown_name(str(info.get("host") or "–"))),
        ("git commit", str(info.get("git_commit") or "–")[:12]),
    ]
    blocks: list[Block] = [Facts([fact for fact in facts if fact[1] != "–"])]
    if not info.get("energy"):
        blocks.append(Text("Energy: the device did not tell it.", soft=True))
    versions = {"zoo": info.get("zoo"), **(info.get("versions") or {})}
    rows = [[name, str(version)] for name, version in versions.items() if version]
    if rows:
        blocks.append(Table("Versions", ["package", Column("version")], rows))
    return Section("Machine", blocks)


def _energy(source: RunSource) -> list[tuple[str, str]]:
    """What the device said of its energy; nothing where it said nothing."""
    energy = source.info.get("energy")
    joules = number_of(energy, "joules")
    if not energy or joules is None:
        return []
    hours = joules / JOULES_PER_WATT_HOUR
    text = f"{short(hours, 3)} Wh"
    covered, total = number_of(energy, "seconds"), number_of(source.info, "seconds")
    if covered and total and covered < 0.95 * total:
        text += f", of {duration(covered)} of the training"
    return [("energy of the device", f"{text} ({energy.get('source')})")]
