"""Apply a balancing method to any Keras model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ranker.lazy_tensorflow import Module
from ranker.registry import UnknownNameError
from ranker.tasks import TASK_KINDS, Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, Weighting, WeightingOptions
from ranker.weighting.tape import BalancingTape

Tasks = Sequence[str] | Mapping[str, str | Task]
"""Task names, or a mapping of names to kinds (``"binary"``, ``"regression"``) or to tasks."""


class Balancer(Module):
    """A balancing method built for the tasks of one model.

    In a ``train_step``, eagerly or inside of ``tf.function``::

        with balancer.tape() as tape:
            features = tape.share(trunk(x, training=True))
            losses = {"click": click_loss(features), "like": like_loss(features)}
        tape.step(optimizer, losses, model.trainable_variables)

    The method's state and learnt weights are variables: keep the balancer as an attribute of the model, or add it to
    the ``tf.train.Checkpoint``.

    Parameters
    ----------
    method
        A name in :data:`WEIGHTINGS`, a method's options, or an instance, which is built here and must not be shared
        with another balancer.
    tasks
        The T tasks in order. Only ``uncertainty`` needs their kinds.
    facts
        Statistics of the training labels, in task order: for ``prior_inverse``, ``scale_by="prior"`` and
        ``initial_inverse`` with ``initial="theory"``; see :meth:`LabelFacts.of_rates`.
    **options
        Fields of the method's options if ``method`` is a name: ``Balancer("cagrad", tasks, c=0.3)``.

    Raises
    ------
    KeyError
        If the method's name is unknown.
    ValueError
        For unknown or invalid options, and if facts or kinds that the method needs are missing.
    """

    def __init__(
        self,
        method: str | WeightingOptions | Weighting,
        tasks: Tasks,
        facts: LabelFacts | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name="balancer")
        self.method = _method(method, options)
        self.tasks = tuple(tasks)
        name = self.method.options.name
        if isinstance(tasks, str) or not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks must be one name or more, each once, got {tasks!r}")
        if self.method.reads_kinds and not isinstance(tasks, Mapping):
            kinds = ", ".join(f"{task!r}: 'binary'" for task in self.tasks)
            raise ValueError(
                f"{name} treats regression and binary tasks differently: pass tasks={{{kinds}}} or 'regression'"
            )
        if self.method.reads_facts and facts is None:
            raise ValueError(
                f"{name} with these options needs label statistics: pass facts, "
                "a LabelFacts(constant=[...], untrained=[...]) with a number for each task"
            )
        if facts is not None and {len(facts.constant), len(facts.untrained)} != {len(self.tasks)}:
            raise ValueError(
                f"facts: need {len(self.tasks)} number(s), one per task, got {len(facts.constant)} of constant and "
                f"{len(facts.untrained)} of untrained"
            )
        kinds_by_task = tasks if isinstance(tasks, Mapping) else dict.fromkeys(tasks, "binary")
        self.method.build({name: _task(name, kind) for name, kind in kinds_by_task.items()}, facts)

    def tape(self) -> BalancingTape:
        """Return a context that records one batch's forward pass; use a new one in each step."""
        return BalancingTape(self.method, self.tasks)


def _method(method: str | WeightingOptions | Weighting, options: Mapping[str, Any]) -> Weighting:
    if isinstance(method, str):
        kind = WEIGHTINGS[method]
        return kind(kind.Options(**options))
    if options:
        raise ValueError(f"options by keyword ({', '.join(options)}) need the method's name, got {method!r}")
    return method if isinstance(method, Weighting) else WEIGHTINGS[method.name](method)


def _task(name: str, kind: str | Task) -> Task:
    if not isinstance(kind, str):
        return kind
    try:
        return TASK_KINDS[kind].model_construct(kind=kind)  # methods read what all tasks of a kind share, not options
    except UnknownNameError as error:
        raise ValueError(f"tasks: {name!r}: {error}") from None
