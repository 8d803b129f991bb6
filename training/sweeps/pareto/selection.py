"""Which point of a front to take."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ranker.registry import alternatives
from training.config.experiment import ConfigError
from training.evaluation.pareto_front import Values
from training.sweeps.pareto.objectives import Objective

Rule = Callable[[Values, Values], Values]
"""Values [N, M] between 0 and 1 and preferences [M] to the worth [N] of each point; the greatest is taken."""


def normalised(gains: Values) -> Values:
    """Each objective [N, M] between 0, the worst on the front, and 1, the best; 1 where all are the same."""
    low, high = gains.min(axis=0), gains.max(axis=0)
    spread = high - low
    return np.where(spread > 0.0, (gains - low) / np.where(spread > 0.0, spread, 1.0), 1.0)


def least_misery(values: Values, preference: Values) -> Values:
    """The worst objective's value."""
    del preference
    return np.asarray(values.min(axis=1))


def knee(values: Values, preference: Values) -> Values:
    """Distance beyond the hyperplane through the extremes, the points that are best in one objective. Das 1999.

    With normal n it is ``(n . x - 1) / |n|``, n solving ``n . e = 1`` for every extreme e. Where the extremes span no
    hyperplane that faces the ideal point, n is all ones: the plane through the corners of the unit simplex.
    """
    del preference
    tied = values + 1e-9 * values.mean(axis=1, keepdims=True)  # of several best points the one that is best elsewhere
    extremes = values[tied.argmax(axis=0)]
    normal = np.ones(values.shape[1])
    if np.linalg.matrix_rank(extremes) == len(extremes):
        solved = np.linalg.solve(extremes, normal)
        normal = solved if (solved >= 0.0).all() else normal
    return np.asarray((values @ normal - 1.0) / np.linalg.norm(normal))


def weighted(values: Values, preference: Values) -> Values:
    """The mean of the objectives' values weighted by the preferences."""
    return np.asarray(values @ preference / preference.sum())


RULES: Mapping[str, Rule] = MappingProxyType({"least_misery": least_misery, "knee": knee, "preference": weighted})


def choose(rule: str, gains: Values, preference: Values) -> int:
    """Index of the point of a front, gains [N, M], that a rule takes; of equal ones the one of the greatest mean."""
    values = normalised(gains)
    worth = np.round(RULES[rule](values, preference), 12)
    return int(np.lexsort((-values.mean(axis=1), -worth))[0])


def parse_preference(text: str | None, objectives: Sequence[Objective]) -> Values:
    """``click=2,like=1``, by task or objective, to preferences [M]; an objective that is not named counts 1.

    Raises ``ConfigError``.
    """
    chosen = {objective.name: 1.0 for objective in objectives}
    seen: set[str] = set()
    for part in text.split(",") if text is not None else ():
        word, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not equals or not 0.0 <= value < float("inf"):
            raise ConfigError(f"--prefer {part.strip()!r}: say TASK=NUMBER, at least 0, for example click=2,like=1")
        names = [objective.name for objective in objectives if word in (objective.task, objective.name)]
        if not names:
            known = dict.fromkeys(name for o in objectives for name in (o.task, o.name))
            raise ConfigError(f"--prefer: no objective {word!r}{alternatives(word, known)}")
        if seen & set(names):
            raise ConfigError(f"--prefer: {word} is named twice")
        seen.update(names)
        chosen.update(dict.fromkeys(names, value))
    values = np.array(list(chosen.values()))
    if not values.sum() > 0.0:
        raise ConfigError(f"--prefer {text}: at least one objective must count more than 0")
    return values
