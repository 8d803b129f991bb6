"""Metrics of experiments: ratios of formulas over what a unit did.

``like / click``, ``watch.value / users``, ``(click > 0) / users``, ``reach = min(watch.value, 3600) / users``: both
sides are formulas that are evaluated for each unit, and then added up over the units of a group. They may use

- ``KIND``: the number of the unit's events of a kind, and ``KIND.value``: the sum of their values;
- ``requests`` and ``impressions``: the number of its requests, and of the items in their answers;
- ``users``: 1.

A kind is written with ``_`` for whatever is no letter, digit or ``_``.
"""

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ranker.expressions import Expression, ExpressionError, parse
from training.experiments.unit_sums import Floats

BASE = ("requests", "users", "impressions")
"""Names in formulas besides kinds."""
VALUE = ".value"
_DOT = "\u00b7"  # a letter for Python, so that `watch.value` is one name, as long as it is written
_NAMED = re.compile(r"\s*(?P<name>[^\W\d]([\w ]*\w)?)\s*=(?!=)(?P<formula>.*)", re.DOTALL)
Better = Literal["more", "less"]


class MetricError(ValueError):
    """A metric that cannot be read or computed; the message quotes it."""


@dataclass(frozen=True)
class Metric:
    """A ratio of two formulas.

    Attributes
    ----------
    name
        What reports call it: its formula, unless it has a name.
    formula
        The ratio as text.
    better
        Which direction is better.
    numerator, denominator
        The formulas of a unit.
    """

    name: str
    formula: str
    better: Better
    numerator: Expression
    denominator: Expression

    @property
    def names(self) -> list[str]:
        """What the formulas name."""
        names = (*self.numerator.names, *self.denominator.names)
        return list(dict.fromkeys(name.replace(_DOT, ".") for name in names))

    def sums(self, totals: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Numerators and denominators [U] of units with totals [U] by name.

        Raises ``MetricError`` if one is undefined, or a denominator is below 0.
        """
        count = len(next(iter(totals.values())))
        values = {name.replace(".", _DOT): column for name, column in totals.items()}
        parts = []
        for side, expression in (("numerator", self.numerator), ("denominator", self.denominator)):
            part = np.broadcast_to(expression.evaluate(values), count).astype(np.float64)
            if not np.isfinite(part).all():
                wrong = int((~np.isfinite(part)).sum())
                raise MetricError(
                    f"{self.formula!r}: the {side} is undefined or infinite for {wrong:,} of {count:,} units, as if it "
                    "were divided by 0; use where(...) or coalesce(...) to say what it is then"
                )
            parts.append(part)
        if (parts[1] < 0).any():
            raise MetricError(f"{self.formula!r}: the denominator is below 0 for {int((parts[1] < 0).sum()):,} units")
        return parts[0], parts[1]


def metric_of(text: str, kinds: Collection[str], better: Better = "more") -> Metric:
    """Parse ``[NAME =] NUMERATOR / DENOMINATOR`` over kinds of events. Raises ``MetricError``."""
    found = _NAMED.fullmatch(text)
    formula = " ".join((found["formula"] if found else text).split())
    known = [*BASE, *names_of(kinds), *(f"{name}{VALUE}" for name in names_of(kinds))]
    spelt = re.sub(r"(?<=\w)\.value\b", f"{_DOT}value", formula)
    try:
        numerator, denominator = _sides(spelt, [name.replace(".", _DOT) for name in known])
    except ExpressionError as error:
        raise MetricError(f"metric {formula!r}: {str(error).replace(_DOT, '.')}") from None
    return Metric(found["name"] if found else formula, formula, better, numerator, denominator)


def _sides(formula: str, known: Sequence[str]) -> tuple[Expression, Expression]:
    """The formulas before and after the last division. Raises ``ExpressionError``."""
    parse(formula, known)  # so that messages quote the whole formula
    tree = ast.parse(formula, mode="eval").body
    if not isinstance(tree, ast.BinOp) or not isinstance(tree.op, ast.Div):
        raise ExpressionError(
            "a metric is NUMERATOR / DENOMINATOR, such as click / users; put sums and comparisons into parentheses"
        )
    top, bottom = (parse(ast.get_source_segment(formula, side) or "", known) for side in (tree.left, tree.right))
    return top, bottom


def names_of(kinds: Collection[str]) -> dict[str, str]:
    """Names of kinds in formulas, and the kinds. Raises ``MetricError`` if two have one name, or one that of a base."""
    found: dict[str, str] = {}
    for kind in kinds:
        name = re.sub(r"\W", "_", kind)
        name = f"_{name}" if name[:1].isdigit() or not name else name
        if name in BASE:
            raise MetricError(f"events of the kind {kind!r} cannot be used: {name} is a number of its own; rename them")
        if name in found:
            raise MetricError(f"the kinds {found[name]!r} and {kind!r} of events are both written {name}; rename one")
        found[name] = kind
    return found


def default_metrics(kinds: Collection[str], valued: Collection[str]) -> list[Metric]:
    """Events of each kind by request, and values by unit of the kinds in ``valued``, whose values are not all 1."""
    texts = []
    for name, kind in names_of(kinds).items():
        texts.append(f"{name}{VALUE} / users" if kind in valued else f"{name} / requests")
    return [metric_of(text, kinds) for text in texts]


def distinct(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics. Raises ``MetricError`` if two have one name."""
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise MetricError(f"two metrics are called {name!r}; write NAME = NUMERATOR / DENOMINATOR for one of them")
    return list(metrics)
