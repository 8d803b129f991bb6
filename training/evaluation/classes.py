"""Log loss, AUC and confusion of tasks of classes, from the Keras model: a served graph has one score a task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.metrics import auc
from ranker.metrics.log_loss import CLIP
from ranker.model import RankingModel
from ranker.task_logits import as_columns
from ranker.tasks import Multiclass
from training.data.batches import EncodedRows
from training.data.encode import GROUP

KEY = "classes"
"""Key of these reports among all metrics of a run."""
Floats = NDArray[np.float64]


def class_reports(model: RankingModel, rows: EncodedRows, batch_size: int = 8192) -> dict[str, Any]:
    """Report of each task of several classes, as :func:`class_report` gives it.

    Rows count whose class is known and whose condition holds.
    """
    tasks = {name: task for name, task in model.schema.tasks.items() if isinstance(task, Multiclass)}
    if not tasks:
        return {}
    places = [model.tasks.index(name) for name in tasks]

    @tf.function(reduce_retracing=True, autograph=False)
    def probabilities(inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        logits = model.task_logits(inputs)
        return [task.probabilities(as_columns(logits[at])) for task, at in zip(tasks.values(), places, strict=True)]

    found: dict[str, list[Floats]] = {name: [] for name in tasks}
    labels: dict[str, list[Floats]] = {name: [] for name in tasks}
    for chunk in rows.chunks():
        inputs = {name: array for name, array in chunk.items() if name not in ("labels", "known", GROUP)}
        for start in range(0, len(chunk["labels"]), batch_size):
            part = slice(start, start + batch_size)
            each = probabilities({name: tf.constant(array[part]) for name, array in inputs.items()})
            for name, place, own in zip(tasks, places, each, strict=True):
                counted = model.funnel.within_parent(chunk["labels"][part], chunk["known"][part], place) > 0
                found[name].append(own.numpy().astype(np.float64)[counted])
                labels[name].append(chunk["labels"][part][counted, place].astype(np.float64))
    return {
        name: class_report(task, np.concatenate(labels[name]), np.concatenate(found[name]))
        for name, task in tasks.items()
    }


def class_report(task: Multiclass, labels: Floats, probabilities: Floats) -> dict[str, Any]:
    """Metrics of class probabilities [N, K] against the numbers of the labels' classes [N].

    Returns
    -------
    ``classes`` [K] and ``rows``; ``log_loss``, the mean negative log likelihood; ``auc`` [K], that of each class
    against all others; ``macro_auc``, its mean over the classes that have one; and ``confusion`` [K, K], the number of
    rows by class and most probable class. What no row defines is ``None``.
    """
    numbers = np.array(task.numbers, dtype=np.float32)
    codes = np.abs(labels[:, None].astype(np.float32) - numbers).argmin(axis=1)
    own = probabilities[np.arange(len(codes)), codes]
    aucs = [auc(codes == place, probabilities[:, place]) for place in range(len(numbers))]
    defined = [each for each in aucs if not np.isnan(each)]
    confusion = np.zeros((len(numbers), len(numbers)), dtype=np.int64)
    np.add.at(confusion, (codes, probabilities.argmax(axis=1)), 1)
    return {
        "classes": list(task.numbers),
        "rows": len(codes),
        "log_loss": float(-np.log(np.maximum(own, CLIP)).mean()) if len(own) else None,
        "macro_auc": float(np.mean(defined)) if defined else None,
        "auc": [None if np.isnan(each) else each for each in aucs],
        "confusion": confusion.tolist(),
    }


def confusion_table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headers and lines of a report's confusion matrix, with each class's AUC."""
    names = [f"{number:.9g}" for number in found["classes"]]
    lines = [
        [name, *(f"{count:,}" for count in counts), "-" if each is None else f"{each:.4f}"]
        for name, counts, each in zip(names, found["confusion"], found["auc"], strict=True)
    ]
    return ["class", *(f"as {name}" for name in names), "AUC"], lines
