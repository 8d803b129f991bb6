"""Command-line choices for a front: its objectives and how to pick a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from ranker.registry import alternatives
from training.config.experiment import ConfigError, Experiment
from training.evaluation.pareto_front import Values
from training.sweeps.pareto.objectives import Objective, parse_objectives
from training.sweeps.pareto.selection import RULES, parse_preference


@dataclass(frozen=True)
class Choice:
    """A front's objectives, the rule that picks a model, and the objectives' weights [M] for that rule."""

    objectives: Sequence[Objective]
    rule: str
    preference: Values


def choice(experiment: Experiment, objectives: str | None, pick: str | None, prefer: str | None) -> Choice:
    """Parse the command line's options; least misery by default, or the preference rule if ``prefer`` is given.

    Raises ``ConfigError``.
    """
    rule = pick or ("least_misery" if prefer is None else "preference")
    if rule not in RULES:
        raise ConfigError(f"--pick {rule}: unknown{alternatives(rule, RULES)}")
    if prefer is not None and rule != "preference":
        raise ConfigError(f"--pick {rule} takes no preference: leave out --prefer, or use --pick preference")
    chosen = parse_objectives(objectives, experiment)
    return Choice(chosen, rule, parse_preference(prefer, chosen))
