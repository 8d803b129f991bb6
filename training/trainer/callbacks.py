"""What is recorded of each training step: checkpoints, progress, and logs of losses, weights and Gramians."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from training.evaluation.gates import GateReport
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.divergence import DivergedError

STEPS = "steps.jsonl"
BOARD_EVERY = 20
"""Steps between TensorBoard points: writing every step would cost more than a small model's step."""


class StepLog:
    """Logs losses, task weights and the Gramian: every step to ``steps.jsonl``, some steps to TensorBoard."""

    def __init__(self, folder: Path, tasks: Sequence[str], resume_at: int) -> None:
        self._tasks = list(tasks)
        self._gates = folder / "gates.jsonl"
        if self._gates.is_file():
            lines = self._gates.read_bytes().splitlines(keepends=True)
            earlier = [line for line in lines if line.endswith(b"\n") and orjson.loads(line)["step"] <= resume_at]
            self._gates.write_bytes(b"".join(earlier))
        path = folder / STEPS
        lines = _lines_until(path, resume_at)
        self._file = path.open("wb")
        self._file.writelines(lines)
        self._next_comparison = 0
        self._board = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def step(self, number: int, logs: Mapping[str, Any]) -> None:
        """Record one step; ``number`` counts from 1 over all epochs."""
        record: dict[str, Any] = {"step": number}
        for kind, values in (("loss", logs["losses"]), ("weight", logs["weights"])):
            record[kind] = dict(zip(self._tasks, np.asarray(values).tolist(), strict=True))
        if "gramian" in logs:
            record["gramian"] = np.asarray(logs["gramian"], dtype=np.float64).tolist()
        self._file.write(orjson.dumps(record) + b"\n")
        compared = "gramian" in record and number >= self._next_comparison
        if number % BOARD_EVERY == 0 or compared:  # comparisons are rare and may miss these steps
            self._draw(record, number)
        if compared:
            self._next_comparison = number + BOARD_EVERY

    def validation(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Record an epoch's validation metrics at step ``number``."""
        with self._board.as_default():
            for task, report in metrics["tasks"].items():
                for name, value in report.items():
                    if isinstance(value, float):
                        tf.summary.scalar(f"validation_{name}/{task}", value, step=number)
        self.flush()

    def gates(self, number: int, report: GateReport) -> None:
        """Record the gates at step ``number`` in ``gates.jsonl`` and TensorBoard."""
        if not report.gates:
            return
        with self._gates.open("ab") as file:
            file.write(orjson.dumps({"step": number, **report.to_dict()}) + b"\n")
        with self._board.as_default():
            for view in report.gates:
                tf.summary.scalar(f"gate_entropy/{view.gate}", view.entropy, step=number)
                for expert, weight in zip(view.experts, view.weights, strict=True):
                    tf.summary.scalar(f"gate_weight/{view.gate}/{expert}", weight, step=number)

    def flush(self) -> None:
        """Flush buffered records."""
        self._file.flush()
        self._board.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        self._board.close()

    def _draw(self, record: Mapping[str, Any], number: int) -> None:
        with self._board.as_default():
            for kind in ("loss", "weight"):
                for task, value in record[kind].items():
                    tf.summary.scalar(f"{kind}/{task}", value, step=number)
            if "gramian" in record:
                self._cosines(np.array(record["gramian"]), number)

    def _cosines(self, gramian: Any, number: int) -> None:
        norms = np.sqrt(np.maximum(np.diag(gramian), 0.0))
        for i, first in enumerate(self._tasks):
            tf.summary.scalar(f"gradient_norm/{first}", norms[i], step=number)
            for j in range(i):
                scale = norms[i] * norms[j]
                cosine = gramian[i, j] / scale if scale else 0.0
                tf.summary.scalar(f"gradient_cosine/{self._tasks[j]}-{first}", cosine, step=number)


class _NoLog(StepLog):
    """Logs nothing: another process does."""

    def __init__(self) -> None:
        pass

    def step(self, number: int, logs: Mapping[str, Any]) -> None:
        pass

    def validation(self, number: int, metrics: Mapping[str, Any]) -> None:
        pass

    def gates(self, number: int, report: GateReport) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def step_log(writes: bool, folder: Path, tasks: Sequence[str], resume_at: int) -> StepLog:
    """The log of a run; of several processes that train together, one ``writes`` it."""
    return StepLog(folder, tasks, resume_at) if writes else _NoLog()


class Recorder:
    """Records one epoch, starting from the given state."""

    def __init__(
        self,
        tasks: Sequence[str],
        state: RunState,
        steps: int,
        checkpoint_every: int,
        checkpoints: Checkpoints,
        log: StepLog,
        progress: Callable[[int, int, int, dict[str, float]], None],
    ) -> None:
        self._tasks, self._state, self._steps, self._every = list(tasks), state, steps, checkpoint_every
        self._checkpoints, self._log, self._progress = checkpoints, log, progress
        self._done = state.step
        self._total = np.array(state.loss_total) if state.loss_total else None

    def record(self, logs: Mapping[str, Any]) -> None:
        """Record the next step, and save a checkpoint when due. Raises ``DivergedError`` for a non-finite loss."""
        self._done = step = self._done + 1
        losses = np.asarray(logs["losses"], dtype=np.float64)
        if not np.isfinite(losses).all():
            tasks = [task for task, loss in zip(self._tasks, losses, strict=True) if not np.isfinite(loss)]
            raise DivergedError(tasks, self._state.epoch + 1, step)
        self._total = losses if self._total is None else self._total + losses
        self._log.step(self._state.epoch * self._steps + step, logs)
        self._progress(self._state.epoch + 1, step, self._steps, dict(zip(self._tasks, losses.tolist(), strict=True)))
        if step % self._every == 0 and step < self._steps:
            self._log.flush()
            self._checkpoints.save(self._state.after_step(step, self._total.tolist()))

    def mean_losses(self) -> dict[str, float]:
        """Mean training loss of each task over the epoch."""
        assert self._total is not None
        return dict(zip(self._tasks, (self._total / self._steps).tolist(), strict=True))


def _lines_until(path: Path, step: int) -> list[bytes]:
    """Complete lines of an earlier log up to a step; later steps are repeated."""
    if not path.is_file():
        return []
    return [line for line in path.read_bytes().splitlines(keepends=True)[:step] if line.endswith(b"\n")]
