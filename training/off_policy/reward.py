"""The reward of a shown item: a formula of labels, and what the model expects of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ranker.config.closed import formula
from ranker.expressions import Expression, ExpressionError
from ranker.log_files.errors import DataError
from ranker.schema import Schema
from training.config.experiment import ConfigError
from training.off_policy.logged import Floats


@dataclass(frozen=True)
class Reward:
    """A formula of labels, such as ``click + 8*like``.

    A name is a task, and stands for its label, or a column of the labels.

    Attributes
    ----------
    expression
        The formula.
    stored
        By name in it, the column that holds the label.
    composed
        By name in it, the formula of columns that makes up the label.
    of_tasks
        Whether all names are tasks, so that the model's scores say what it expects.
    """

    expression: Expression
    stored: Mapping[str, str]
    composed: Mapping[str, Expression]
    of_tasks: bool

    @property
    def text(self) -> str:
        """The formula."""
        return self.expression.text

    @property
    def columns(self) -> list[str]:
        """Columns of labels that it reads."""
        read = [name for expression in self.composed.values() for name in expression.names]
        return list(dict.fromkeys([*self.stored.values(), *read]))

    def of_labels(self, columns: Mapping[str, Floats]) -> Floats:
        """Rewards [N] from columns of labels [N]; NaN where a label is unknown."""
        stored = {name: columns[column] for name, column in self.stored.items()}
        composed = {name: expression.evaluate(columns) for name, expression in self.composed.items()}
        return self.expression.evaluate({**stored, **composed})

    def of_scores(self, scores: Mapping[str, Floats]) -> Floats:
        """Expected rewards [N] from calibrated scores [N] by task, as if an item's labels were independent."""
        return self.expression.evaluate(scores)


def reward_of(option: str, text: str, schema: Schema) -> Reward:
    """Parse a reward. Raises ``ConfigError``, which begins with ``option``."""
    try:
        expression = formula(text)
    except ExpressionError as error:
        raise ConfigError(f"{option}: {error}") from None
    if expression.texts:
        raise ConfigError(f"{option} {text!r}: must be a formula of numbers, and {min(expression.texts)!r} is text")
    tasks = {name: schema.tasks[name] for name in expression.names if name in schema.tasks}
    composed = {name: formula(task.label) for name, task in tasks.items() if task.label is not None}
    stored = {
        name: (tasks[name].column or name) if name in tasks else name
        for name in expression.names
        if name not in composed
    }
    return Reward(expression, stored, composed, len(tasks) == len(expression.names))


def require_known(option: str, reward: Reward, rewards: Floats) -> None:
    """Raise ``DataError`` if a shown item has no finite reward [N]."""
    if count := int((~np.isfinite(rewards)).sum()):
        raise DataError(
            f"{option}: {reward.text!r} is null or infinite for {count:,} of {len(rewards):,} shown items; every one "
            "needs a number, 0 if nothing happened: coalesce(x, 0) replaces a null of a column x"
        )
