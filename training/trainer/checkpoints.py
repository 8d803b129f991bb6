"""Checkpoints: a run's state saved together with its weights, so that it can resume after a kill at any moment."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import tensorflow as tf

from ranker.layers.sharded_table import ShardedTable
from ranker.model import RankingModel
from training.disk_full import DiskFullError
from training.trainer.moments import kept_moments
from training.trainer.variable_names import named_variables

_STATE = "state/.ATTRIBUTES/VARIABLE_VALUE"
"""Name under which TensorFlow saves the state."""


def best_epoch(history: Iterable[Mapping[str, Any]]) -> int | None:
    """The epoch whose weights are kept, counted from 1, by the epochs' records; None before the first ends."""
    return max((int(record["epoch"]) for record in history if record["best"]), default=None)


@dataclass(frozen=True)
class RunState:
    """The next step, ``step`` of ``epoch``, both from 0; the best metric value so far and the epochs' records."""

    epoch: int = 0
    step: int = 0
    best: float = float("-inf")
    without_gain: int = 0
    loss_total: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights are kept, counted from 1; None before the first ends."""
        return best_epoch(self.history)

    def after_step(self, step: int, loss_total: list[float]) -> "RunState":
        """The state after ``step`` steps of this epoch; ``loss_total`` sums each task's losses over them."""
        return replace(self, step=step, loss_total=loss_total)

    def after_epoch(self, record: dict[str, Any], value: float, better: bool) -> "RunState":
        """The state at the start of the next epoch."""
        return RunState(
            epoch=self.epoch + 1,
            best=value if better else self.best,
            without_gain=0 if better else self.without_gain + 1,
            history=[*self.history, record],
        )


class Checkpoints:
    """Saves weights, optimiser, balancing and state together, and the best epoch's weights separately.

    Without ``writes`` it only reads what another process saves. ``folder`` is where they are.
    """

    def __init__(self, model: RankingModel, folder: Path, writes: bool = True) -> None:
        self._writes = writes
        folder = folder.resolve()  # servers write parts of a checkpoint, in working directories of their own
        self.folder, self._model = folder, model
        self._text = tf.Variable("", dtype=tf.string, trainable=False)
        whole = tf.train.Checkpoint(model=model, optimizer=model.optimizer, weighting=model.weighting, state=self._text)
        self._manager = tf.train.CheckpointManager(whole, str(folder / "latest"), max_to_keep=2)
        self._best = tf.train.Checkpoint(model=model)

    def save(self, state: RunState) -> None:
        """Save everything atomically."""
        if self._writes:
            self._text.assign(orjson.dumps(asdict(state)))
            self._manager.save()
            self._drop_best_but(state.best_epoch)

    def latest(self) -> RunState | None:
        """Restore the latest checkpoint and return its state, if there is one."""
        self._manager.sync()  # another process may have saved since
        if self._manager.latest_checkpoint is None:
            return None
        _release(self._tables(moments=True))
        self._manager.checkpoint.restore(self._manager.latest_checkpoint).expect_partial()
        return _state_of(self._text.numpy())

    def save_best(self, epoch: int) -> None:
        """Save the current weights as those of the best epoch, counted from 1.

        The ones before stay until a state that knows the new ones is saved: a kill in between loses neither.
        """
        if self._writes:
            path = self._best_of(epoch)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._best.write(str(path))

    def restore_best(self, epoch: int) -> None:
        """Load the weights of the best epoch, counted from 1, into the model."""
        _release(self._tables(moments=False))
        self._best.read(str(self._best_of(epoch))).expect_partial()

    def _best_of(self, epoch: int) -> Path:
        return self.folder / "best" / str(epoch) / "weights"

    def _drop_best_but(self, epoch: int | None) -> None:
        for other in (kept for kept in (self.folder / "best").glob("*") if kept.name != str(epoch)):
            shutil.rmtree(other, ignore_errors=True)

    def _tables(self, moments: bool) -> Iterator[tf.Variable]:
        """The shards of tables, and of their moments."""
        sharded = [table for table in self._model.embedding.tables.values() if isinstance(table, ShardedTable)]
        for table in sharded:
            yield from table.shards
        if not moments or not sharded:
            return
        for kept in kept_moments(self._model, named_variables(self._model)):
            for slot in kept.slots().values():
                yield from slot.shards if isinstance(slot, ShardedTable) else []

    def disk_full(self, folder: Path) -> DiskFullError:
        """Delete partial checkpoints after a full disk; return an error that says how much of the run is kept."""
        for partial in self.folder.glob("latest/*_temp*"):
            shutil.rmtree(partial, ignore_errors=True)
        state = self.latest()
        self._drop_best_but(state.best_epoch if state else None)
        if state is None or not (state.epoch or state.step):
            kept = "no step was saved; only the encoded rows are kept"
        else:
            until = f"epoch {state.epoch + 1}, step {state.step}" if state.step else f"the end of epoch {state.epoch}"
            kept = f"the run up to {until} is kept"
        return DiskFullError(f"{folder}: no space left on the disk; {kept}. Make room and run the same command again")


def saved_state(folder: Path) -> RunState | None:
    """The state of the latest checkpoint in ``folder``, read without a model, if there is one."""
    latest = tf.train.latest_checkpoint(str(folder / "latest"))
    if latest is None:
        return None
    return _state_of(tf.train.load_checkpoint(latest).get_tensor(_STATE))


def _state_of(text: bytes) -> RunState:
    saved = orjson.loads(text)
    return RunState(**{**saved, "best": float("-inf") if saved["best"] is None else saved["best"]})


def _release(variables: Iterable[tf.Variable]) -> None:
    """Free the memory of variables that are about to be restored, else a server would hold old and new rows at once."""
    for variable in variables:
        with tf.device(variable.device):
            nothing = tf.zeros([0, *variable.shape[1:]], variable.dtype)
            tf.raw_ops.AssignVariableOp(resource=variable.handle, value=nothing, validate_shape=False)
