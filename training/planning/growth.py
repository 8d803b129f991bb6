"""What breaks first as each input grows tenfold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from training.planning.inputs import PlanInputs
from training.planning.limits import LIMITS, used
from training.planning.plan import plan
from training.planning.training_time import Distribute, training_time
from training.planning.unit_costs import UnitCosts

FACTOR = 10.0
SMALLEST = 1e-3
"""Factor from which on limits are sought: those reached below 1 do not hold at the plan's own numbers."""
GROWN = ("impressions_per_day", "items", "users", "peak_rps", "candidates", "width")
"""Inputs that grow, in the order of a table."""
HALVINGS = 40


@dataclass(frozen=True)
class Growth:
    """One input, from ``SMALLEST`` to ``FACTOR`` times what it is, with all others as they are.

    Attributes
    ----------
    first, at
        The limit that is reached first, and the factor at which it is: below 1, it does not hold at the plan's own
        number; ``None`` if none is.
    others
        Factors of the other limits that are reached.
    money
        Money a day at the full factor, relative to the plan's.
    distribute
        Which ``training.distribute`` fits at the full factor.
    """

    input: str
    first: str | None
    at: float | None
    others: Mapping[str, float]
    money: float
    distribute: Distribute


def growths(inputs: PlanInputs, costs: UnitCosts) -> list[Growth]:
    """The growth of each input."""
    money = plan(inputs, costs).money
    return [_growth(inputs, costs, name, money) for name in GROWN]


def grown(inputs: PlanInputs, name: str, factor: float) -> PlanInputs:
    """The inputs with one of them times a factor, unchecked: only one number grows."""
    return inputs.model_copy(update={name: getattr(inputs, name) * factor})


def _growth(inputs: PlanInputs, costs: UnitCosts, name: str, money: float) -> Growth:
    least, most = (used(grown(inputs, name, factor), costs) for factor in (SMALLEST, FACTOR))
    reached = {limit: _reached(inputs, costs, name, limit) for limit in LIMITS if least[limit] <= 1 and most[limit] > 1}
    order = dict(sorted(reached.items(), key=lambda pair: pair[1]))
    first = next(iter(order), None)
    return Growth(
        input=name,
        first=first,
        at=None if first is None else order.pop(first),
        others=order,
        money=plan(grown(inputs, name, FACTOR), costs).money / money if money else 1.0,
        distribute=training_time(grown(inputs, name, FACTOR), costs).distribute,
    )


def _reached(inputs: PlanInputs, costs: UnitCosts, name: str, limit: str) -> float:
    """The factor at which a limit is reached, by halving its logarithm."""
    low, high = math.log(SMALLEST), math.log(FACTOR)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if used(grown(inputs, name, math.exp(middle)), costs)[limit] > 1:
            high = middle
        else:
            low = middle
    return math.exp(high)
