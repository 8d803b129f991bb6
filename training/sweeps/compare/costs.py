"""Measures the cost of each variation: parameters, FLOPs, training throughput and serving latency."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tensorflow as tf

from ranker.log_files.log_reader import Log
from training.data.batches import Batch
from training.data.cache import prepared_rows
from training.data.encode import GROUP
from training.evaluation.model_summary import blocks, dense_parameters, totals
from training.evaluation.onnx_scorer import onnx_scorer
from training.progress_listener import RunListener
from training.sweeps import Trial
from training.trainer.build_model import build_model

ROUNDS = 7
STEPS = 3
LONGEST_CYCLE = 12
"""Longest cycle, in steps, over which a method that compares gradients only every few steps is timed in full."""
CANDIDATES = 500


def measure_costs(
    trials: Sequence[Trial], folders: Sequence[Path], rows: Sequence[Path], log: Log, step: Callable[[], None]
) -> list[dict[str, Any]]:
    """Costs of each trained trial; ``step`` is called after each trial's round.

    Rounds interleave the trials, so that noise on the machine affects all of them; medians over rounds. All models are
    held in memory. ``samples_per_second``: training steps at the config's batch size on rows in memory; missing of an
    architecture without weights. ``serving_ms``: one context and 500 candidates through ONNX Runtime on packed arrays,
    with TensorFlow's thread count or all; encoding, and so trees, are not in it.
    """
    benchmarks = [_benchmark(*of_trial, log) for of_trial in zip(trials, folders, rows, strict=True)]
    for _ in range(ROUNDS):
        for benchmark in benchmarks:
            if benchmark is not None:
                benchmark.run_round()
            step()
    return [benchmark.costs() if benchmark is not None else {} for benchmark in benchmarks]


def _benchmark(trial: Trial, folder: Path, rows: Path, log: Log) -> "_Benchmark | None":
    """None for a model that does not load or fit in memory: the report shows no costs for it."""
    try:
        return _Benchmark(trial, folder, rows, log)
    except (OSError, ValueError, MemoryError, tf.errors.OpError):
        return None


class _Benchmark:
    def __init__(self, trial: Trial, folder: Path, rows: Path, log: Log) -> None:
        prepared = prepared_rows(trial.experiment, log, rows, RunListener())
        settings = trial.experiment.training
        steps = prepared.training.steps(settings.batch_size)
        self.model = build_model(trial.experiment, prepared.encoder.layout, steps_per_epoch=steps)
        batch = next(prepared.training.batches(settings.batch_size, settings.shuffle_rows, settings.seed, epoch=0))
        self.batch = {name: tf.constant(array) for name, array in batch.items() if name != GROUP}
        self.batches = iter(tf.data.Dataset.from_tensors(self.batch).repeat())
        self.train_step = self.model.make_train_function()
        every = self.model.weighting.every
        self.steps = every * -(-STEPS // every) if every <= LONGEST_CYCLE else STEPS
        for _ in range(self.steps if self.model.architecture.trainable else 0):
            self.train_step(self.batches)  # traces
        self.score, self.request = onnx_scorer(folder / "model.onnx"), _request(batch)
        self.score(self.request)
        self.training: list[float] = []
        self.serving: list[float] = []

    def run_round(self) -> None:
        if self.model.architecture.trainable:
            started = time.perf_counter()
            for _ in range(self.steps):
                losses = self.train_step(self.batches)["losses"]
            losses.numpy()
            self.training.append((time.perf_counter() - started) / self.steps)
        for _ in range(STEPS):
            started = time.perf_counter()
            self.score(self.request)
            self.serving.append(time.perf_counter() - started)

    def costs(self) -> dict[str, Any]:
        speed = {"samples_per_second": len(self.batch["labels"]) / median(self.training)} if self.training else {}
        return {
            **totals(blocks(self.model, depth=0)),
            "dense_parameters": dense_parameters(self.model),
            **speed,
            "serving_ms": 1000 * median(self.serving),
        }


def _request(batch: Batch) -> Batch:
    """One context row and 500 candidate rows from a batch, repeated if the batch has fewer."""
    sides = {"context": np.zeros(1, dtype=np.int64), "candidate": np.arange(CANDIDATES) % len(batch["labels"])}
    return {
        name: batch[name][at]
        for side, at in sides.items()
        for name in (f"{side}_ids", f"{side}_numbers")
        if name in batch
    }
