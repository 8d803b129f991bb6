"""Rules that pick one point of a Pareto front."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ranker.registry import alternatives
from training.config.experiment import ConfigError
from training.evaluation.pareto_front import Values
from training.sweeps.pareto.objectives import Objective

Rule = Callable[[Values, Values], Values]
"""Maps normalised values [N, M] in [0, 1] and preferences [M] to points' utilities [N]; the highest is picked."""


def normalised(gains: Values) -> Values:
    """Scale each objective [N, M] from 0 (worst on the front) to 1 (best); 1 if all are equal."""
    low, high = gains.min(axis=0), gains.max(axis=0)
    spread = high - low
    return np.where(spread > 0.0, (gains - low) / np.where(spread > 0.0, spread, 1.0), 1.0)


def least_misery(values: Values, preference: Values) -> Values:
    """The value of the worst objective."""
    del preference
    return np.asarray(values.min(axis=1))


def knee(values: Values, preference: Values) -> Values:
    """Distance beyond the hyperplane through the extremes, the best points of single objectives. Das 1999.

    With normal n it is ``(n . x - 1) / |n|``, where n solves ``n . e = 1`` for every extreme e. If the extremes span no
    hyperplane facing the ideal point, n is all ones: the plane through the corners of the unit simplex.
    """
    del preference
    tied = values + 1e-9 * values.mean(axis=1, keepdims=True)  # ties go to the higher mean
    extremes = values[tied.argmax(axis=0)]
    normal = np.ones(values.shape[1])
    if np.linalg.matrix_rank(extremes) == len(extremes):
        solved = np.linalg.solve(extremes, normal)
        normal = solved if (solved >= 0.0).all() else normal
    return np.asarray((values @ normal - 1.0) / np.linalg.norm(normal))


def weighted(values: Values, preference: Values) -> Values:
    """Mean of the objectives' values, weighted by the preferences."""
    return np.asarray(values @ preference / preference.sum())


RULES: Mapping[str, Rule] = MappingProxyType({"least_misery": least_misery, "knee": knee, "preference": weighted})


def choose(rule: str, gains: Values, preference: Values) -> int:
    """Index of the point that a rule picks on a front with gains [N, M]; ties go to the highest mean."""
    values = normalised(gains)
    utility = np.round(RULES[rule](values, preference), 12)
    return int(np.lexsort((-values.mean(axis=1), -utility))[0])


def parse_preference(text: str | None, objectives: Sequence[Objective]) -> Values:
    """Parse ``click=2,like=1``, by task or objective, into preferences [M]; objectives not named get 1.

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
            raise ConfigError(f"--prefer {part.strip()!r}: must be TASK=NUMBER, at least 0, for example click=2,like=1")
        names = [objective.name for objective in objectives if word in (objective.task, objective.name)]
        if not names:
            known = dict.fromkeys(name for o in objectives for name in (o.task, o.name))
            raise ConfigError(f"--prefer: no objective {word!r}{alternatives(word, known)}")
        if seen & set(names):
            raise ConfigError(f"--prefer: {word} is given twice")
        seen.update(names)
        chosen.update(dict.fromkeys(names, value))
    values = np.array(list(chosen.values()))
    if not values.sum() > 0.0:
        raise ConfigError(f"--prefer {text}: at least one weight must be > 0")
    return values
