"""Which tasks are trained when: all at once, in turns, one after another, some parts left alone."""

from collections.abc import Iterator, Sequence

from pydantic import Field, model_validator

from ranker.config.closed import Closed
from ranker.registry import require_known
from ranker.step_plan import EMBEDDINGS, SHARED, Turn, cycled


class Phase(Closed):
    """Some epochs in a row that train the same tasks."""

    tasks: tuple[str, ...] | None = Field(None, min_length=1, description="Tasks to train; all by default.")
    epochs: int | None = Field(None, ge=1, description="How many epochs; the last phase takes what is left.")
    freeze: tuple[str, ...] = Field(
        (), description="What is left alone: embeddings, shared (all else that tasks share), or tasks: their heads."
    )
    alternating: bool = Field(False, description="Each step trains one task, in turn, and touches no other's head.")


class Schedule(Closed):
    """Phases, one after another; by default one, of all tasks."""

    phases: tuple[Phase, ...] = Field((Phase(),), min_length=1, description="In order; epochs count through.")

    @model_validator(mode="after")
    def _bounded(self) -> "Schedule":
        for number, phase in enumerate(self.phases[:-1]):
            if phase.epochs is None:
                raise ValueError(f"phases.{number}.epochs: say how many; only the last phase takes what is left")
        return self

    def check(self, tasks: Sequence[str], epochs: int, *, compares: bool) -> None:
        """Raise ``ValueError`` for unknown names, phases that never begin, and turns under a method that compares."""
        for number, phase in enumerate(self.phases):
            path = f"schedule.phases.{number}"
            for task in phase.tasks or ():
                require_known(task, tasks, f"{path}.tasks", "task")
                if (phase.tasks or ()).count(task) > 1:
                    raise ValueError(f"{path}.tasks: {task!r} is listed twice")
            for part in phase.freeze:
                require_known(part, [EMBEDDINGS, SHARED, *tasks], f"{path}.freeze", "part")
            if phase.alternating and compares:
                raise ValueError(
                    f"{path}.alternating: each step trains one task, so that tasks cannot be compared; take a "
                    "weighting of losses, for example static"
                )
        before = sum(phase.epochs or 0 for phase in self.phases[:-1])
        if before >= epochs:
            raise ValueError(
                f"schedule.phases: those before the last take {before} epoch(s), and training.epochs is {epochs}, so "
                "that the last never begins"
            )
        last = self.phases[-1].epochs
        if last is not None and before + last < epochs:
            raise ValueError(
                f"schedule.phases: they end after {before + last} epoch(s), and training.epochs is {epochs}; "
                "leave out the last one's epochs"
            )

    def final(self, epoch: int) -> bool:
        """Whether an epoch, from 0, is in the last phase: only there can training stop early."""
        return self._phase(epoch) is self.phases[-1]

    def turns(self, epoch: int, tasks: Sequence[str], every: int, first: int) -> Iterator[Turn]:
        """Turns of an epoch, from 0, from its step ``first`` on; gradients are compared in its first step."""
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
