"""Starts the correction of position bias from the training rows, and reads what it has learnt."""

from typing import Any

import numpy as np
import tensorflow as tf

from ranker.model import RankingModel
from ranker.position import PositionFacts
from ranker.position.base import FIRST
from ranker.task_logits import as_columns
from training.config.experiment import Experiment
from training.data.encode import Prepared
from training.data.examination import Floats, regression_em
from training.data.positions import rates_by_place, require_first, rows_by_place

ROWS = 4096
"""Validation rows that a curve is averaged over."""


def start_positions(model: RankingModel, experiment: Experiment, prepared: Prepared) -> None:
    """Set the initial values of a new training. Raises ``DataError`` if no row was shown at the first place."""
    options, method = experiment.position, model.position
    if options is None or method is None:
        return
    require_first(options, prepared.training)

    def examination(task: str, rounds: int) -> Floats:
        place, threads = model.tasks.index(task), experiment.training.threads
        layout = prepared.encoder.layout
        return regression_em(options, place, prepared.training, layout, model.funnel, rounds, threads)

    method.start(PositionFacts(rates_by_place(options, prepared.training, model.funnel), examination))


def position_curve(model: RankingModel, prepared: Prepared) -> dict[str, Any] | None:
    """The learnt effect of position, as plain data; ``None`` without a correction.

    ``positions`` are those of the log up to the last with rows, and ``rows`` the training rows of each; ``tasks`` has
    by task the ``relative`` score at each, as a ratio of means over validation rows to the first one's: examination,
    or the click rate of the same items. With a shift of log odds there is ``odds_ratio``, too; a task whose score is
    an order alone, which has no ratios, has only these: the odds of being preferred.
    """
    method = model.position
    if method is None:
        return None
    options = method.options
    counts = rows_by_place(options, prepared.training)
    last = int(np.flatnonzero(counts)[-1])
    batch = {name: tf.constant(array[:ROWS]) for name, array in next(prepared.validation.chunks()).items()}
    logits = model.task_logits(batch)
    rows = tf.shape(batch["labels"])[0]
    seen = [method.seen(logits, tf.fill([rows], place), batch) for place in range(FIRST, last + 1)]
    tasks: dict[str, Any] = {}
    for name, index in method.indices.items():
        kind = model.schema.tasks[name]
        order_only, tasks[name] = "order_only" in kind.traits, {}
        if not order_only:
            means = [float(tf.reduce_mean(kind.score(as_columns(each[index])))) for each in seen]
            tasks[name]["relative"] = [mean / means[0] if means[0] else None for mean in means]
        if method.shows_odds and (kind.probability or order_only):
            shifts = [float(tf.reduce_mean(each[index] - seen[0][index])) for each in seen]
            tasks[name]["odds_ratio"] = np.exp(shifts).tolist()
    return {
        "column": options.column,
        "method": options.method,
        "positions": list(range(options.first, options.first + last)),
        "shared": last == options.positions,
        "rows": counts[FIRST : last + 1].astype(int).tolist(),
        "unknown": int(counts[0]),
        "tasks": tasks,
    }
