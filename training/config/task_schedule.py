"""The config's ``schedule``: which tasks train in which epochs: jointly, alternating, in phases, parts frozen."""

from collections.abc import Iterator, Sequence

from pydantic import Field, model_validator

from ranker.config.closed import Closed
from ranker.registry import require_known
from ranker.step_plan import EMBEDDINGS, SHARED, Turn, cycled


class Phase(Closed):
    """Consecutive epochs that train the same tasks."""

    tasks: tuple[str, ...] | None = Field(None, min_length=1, description="Tasks to train; all by default.")
    epochs: int | None = Field(None, ge=1, description="Number of epochs; the last phase takes the rest.")
    freeze: tuple[str, ...] = Field(
        (), description="Parts not trained: embeddings, shared (all other shared layers), or tasks (their heads)."
    )
    alternating: bool = Field(
        False, description="Train one task per step, in turn; other tasks' heads are not updated."
    )


class Schedule(Closed):
    """Phases in order; by default a single phase with all tasks."""

    phases: tuple[Phase, ...] = Field((Phase(),), min_length=1, description="Phases in order.")

    @model_validator(mode="after")
    def _bounded(self) -> "Schedule":
        for number, phase in enumerate(self.phases[:-1]):
            if phase.epochs is None:
                raise ValueError(f"phases.{number}.epochs: is required; only the last phase may leave it out")
        return self

    def check(self, tasks: Sequence[str], epochs: int, *, compares: bool) -> None:
        """Raise ``ValueError`` for unknown names, phases that never start, and alternating with gradient comparison."""
        for number, phase in enumerate(self.phases):
            path = f"schedule.phases.{number}"
            for task in phase.tasks or ():
                require_known(task, tasks, f"{path}.tasks", "a task")
                if (phase.tasks or ()).count(task) > 1:
                    raise ValueError(f"{path}.tasks: {task!r} is listed twice")
            for part in phase.freeze:
                require_known(part, [EMBEDDINGS, SHARED, *tasks], f"{path}.freeze", "a part to freeze")
            if phase.alternating and compares:
                raise ValueError(
                    f"{path}.alternating: each step trains one task, so tasks cannot be compared; use a loss "
                    "weighting, for example static"
                )
        before = sum(phase.epochs or 0 for phase in self.phases[:-1])
        if before >= epochs:
            raise ValueError(
                f"schedule.phases: the phases before the last take {before} epoch(s), but training.epochs is {epochs}, "
                "so the last phase never starts"
            )
        last = self.phases[-1].epochs
        if last is not None and before + last < epochs:
            raise ValueError(
                f"schedule.phases: end after {before + last} epoch(s), but training.epochs is {epochs}; "
                "leave out the last phase's epochs"
            )

    def final(self, epoch: int) -> bool:
        """Whether an epoch, from 0, is in the last phase, the only one in which training can stop early."""
        return self._phase(epoch) is self.phases[-1]

    def turns(self, epoch: int, tasks: Sequence[str], every: int, first: int) -> Iterator[Turn]:
        """Turns of an epoch (from 0), starting at step ``first``; gradients are compared in its first step."""
        phase = self._phase(epoch)
        chosen = phase.tasks or tuple(tasks)
        groups = [frozenset({task}) for task in chosen] if phase.alternating else [frozenset(chosen)]
        whole = frozenset(tasks)
        pattern = [Turn(None if group == whole else group, frozenset(phase.freeze)) for group in groups]
        return cycled(pattern, every, first)

    def _phase(self, epoch: int) -> Phase:
        for phase in self.phases[:-1]:
            assert phase.epochs is not None
            epoch -= phase.epochs
            if epoch < 0:
                return phase
        return self.phases[-1]
