"""Any balancing method for any Keras model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ranker.lazy_tensorflow import Module
from ranker.registry import UnknownNameError
from ranker.tasks import TASK_KINDS, Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, Weighting, WeightingOptions
from ranker.weighting.tape import BalancingTape

Tasks = Sequence[str] | Mapping[str, str | Task]
"""Names of tasks; or by name the kind, ``"binary"`` or ``"regression"``, or the whole task."""


class Balancer(Module):
    """A balancing method made ready for the tasks of one model.

    In a ``train_step``, eagerly or inside of ``tf.function``::

        with balancer.tape() as tape:
            features = tape.share(trunk(x, training=True))
            losses = {"click": click_loss(features), "like": like_loss(features)}
        tape.step(optimizer, losses, model.trainable_variables)

    What the method remembers or learns is in its variables: keep the balancer as an attribute of the model, or name it
    in the ``tf.train.Checkpoint``.

    Parameters
    ----------
    method
        A name of :data:`WEIGHTINGS`, a method's options, or an instance, which is built here and belongs to this
        balancer alone.
    tasks
        The tasks in order, T in all. Their kinds are needed by ``uncertainty`` only.
    facts
        What the training labels say, in the tasks' order: for ``prior_inverse``, ``scale_by="prior"`` and
        ``initial_inverse`` with ``initial="theory"``; see :meth:`LabelFacts.of_rates`.
    **options
        Fields of the method's options, with ``method`` as a name: ``Balancer("cagrad", tasks, c=0.3)``.

    Raises
    ------
    KeyError
        For an unknown name of a method.
    ValueError
        For unknown or invalid options, and where the method needs facts or kinds that are not given.
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
                f"{name} treats regressions otherwise than binary tasks: pass kinds, tasks={{{kinds}}} or 'regression'"
            )
        if self.method.reads_facts and facts is None:
            raise ValueError(
                f"{name} with these options starts from what the labels say: pass facts, "
                "a LabelFacts(constant=[...], untrained=[...]) with a number for each task"
            )
        if facts is not None and {len(facts.constant), len(facts.untrained)} != {len(self.tasks)}:
            raise ValueError(
                f"facts: a number for each of {len(self.tasks)} task(s), got {len(facts.constant)} of constant and "
                f"{len(facts.untrained)} of untrained"
            )
        kinds_by_task = tasks if isinstance(tasks, Mapping) else dict.fromkeys(tasks, "binary")
        self.method.build({name: _task(name, kind) for name, kind in kinds_by_task.items()}, facts)

    def tape(self) -> BalancingTape:
        """Return the record of one batch's forward pass, a context; each step takes a new one."""
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
        return TASK_KINDS[kind].model_validate({"kind": kind})
    except UnknownNameError as error:
        raise ValueError(f"tasks: {name!r}: {error}") from None
