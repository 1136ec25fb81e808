"""What differs between two recipes or runs: `zoo diff`. Light.

sides.py         what is compared: a recipe that ships, a file, or a run
brief.py         values as a recipe would give them, without what follows from defaults
alignment.py     which items of two lists belong together
differences.py   compares the data of two resolved recipes
facts.py         compares the networks, and of runs the results and where they were made
text.py          all that in lines of at most 80 characters
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.comparison.differences import Difference, differences
from zoo.comparison.facts import Curves, Fact, curves, network, run_facts
from zoo.comparison.sides import Side, open_side

AUTO = "auto"

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What differs between two sides.

    Attributes:
        a: the first side.
        b: the second side.
        recipe: differences of the recipes, every default written out.
        network: size and cost of both networks; empty where a side's classes are not known.
        notes: sentences on what could not be compared.
        run: of two runs, the facts that differ; None otherwise.
        curves: of two runs, how far their epochs agree; None otherwise.
    """

    a: Side
    b: Side
    recipe: tuple[Difference, ...]
    network: tuple[Fact, ...]
    notes: tuple[str, ...]
    run: tuple[Fact, ...] | None
    curves: Curves | None

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs but the time that runs took."""
        facts = [fact for fact in (*self.network, *(self.run or ())) if not fact.is_time]
        curves_agree = self.curves is None or self.curves.are_equal
        return not self.recipe and curves_agree and all(fact.a == fact.b for fact in facts)

    def as_json(self) -> dict[str, Any]:
        """The document of `zoo diff --json`."""
        return {
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "equal": self.is_equal,
            "recipe": [difference.as_json() for difference in self.recipe],
            "network": [fact.as_json() for fact in self.network] or None,
            "run": None if self.run is None else [fact.as_json() for fact in self.run],
            "curves": self.curves and self.curves.as_json(),
        }


def compare(first: str, second: str) -> Comparison:
    """Compares two recipes, two runs, or a recipe with that of a run.

    Args:
        first: name of a recipe that ships, a file, or the folder of a run.
        second: the same.

    Raises:
        UsageError: there is no such recipe or run.
        RecipeError: a recipe has problems.
        DamagedFile: a file of a run holds something else than zoo wrote.
    """
    a, b = open_side(first), open_side(second)
    facts, notes = network(a, b)
    # What `auto` became in a run is no difference from a recipe that says `auto`.
    found = [
        each
        for each in differences(a.recipe, b.recipe)
        if not (each.a == AUTO and b.is_made) and not (each.b == AUTO and a.is_made)
    ]
    both = a.run is not None and b.run is not None
    return Comparison(
        a=a,
        b=b,
        recipe=tuple(found),
        network=tuple(facts),
        notes=(*a.notes, *b.notes, *notes),
        run=tuple(run_facts(a, b)) if both else None,
        curves=curves(a, b) if both else None,
    )
