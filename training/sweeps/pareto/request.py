"""What a person asks of a front."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.config.early_checks import check_name
from training.config.experiment import ConfigError, Experiment
from training.evaluation.pareto_front import Values
from training.sweeps.pareto.objectives import Objective, parse_objectives
from training.sweeps.pareto.selection import RULES, parse_preference


@dataclass(frozen=True)
class Choice:
    """What is asked of a front: its objectives, the rule that picks, and what each objective counts for it [M]."""

    objectives: Sequence[Objective]
    rule: str
    preference: Values


def choice(experiment: Experiment, objectives: str | None, pick: str | None, prefer: str | None) -> Choice:
    """A choice from the words of the command line; least misery by default, and a preference picks by itself.

    Raises ``ConfigError``.
    """
    rule = pick or ("least_misery" if prefer is None else "preference")
    check_name("--pick", rule, RULES)
    if prefer is not None and rule != "preference":
        raise ConfigError(f"--pick {rule} knows no preference: leave out --prefer, or say --pick preference")
    chosen = parse_objectives(objectives, experiment)
    return Choice(chosen, rule, parse_preference(prefer, chosen))
