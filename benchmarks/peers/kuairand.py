"""KuaiRand's last day, predicted from the days before, by a counting baseline and by LightGBM per task.

The baseline adds the logits of the smoothed means of user, video and tab.
LightGBM gets the raw columns, then additional label statistics, then features of the users' earlier history.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.metrics import roc_auc_score

from benchmarks import report
from benchmarks.kuairand import CATEGORICAL, NUMERIC, TASKS, Bools, Floats, Log, load
from benchmarks.peers import boosting, user_history
from benchmarks.peers.label_statistics import combine, out_of_day

STRENGTH = 20.0
FLOOR_KEYS = (("user_id",), ("video_id",), ("tab",))
STATISTICS_KEYS = (
    *FLOOR_KEYS,
    ("i_author_id",),
    ("i_music_id",),
    ("i_tag",),
    ("hour",),
    ("user_id", "tab"),
    ("video_id", "tab"),
    ("i_author_id", "tab"),
)
MANY_VALUES = ("user_id", "video_id", "i_author_id", "i_music_id")


def statistics(log: Log, keys: tuple[tuple[str, ...], ...], training: Bools) -> list[Floats]:
    """Label statistics [N, T + 1] of each key; see `label_statistics`."""
    return [
        out_of_day(
            combine([log.codes[column] for column in key]),
            log.labels,
            log.day,
            training=training,
            strength=STRENGTH,
        )
        for key in keys
    ]


def auc(labels: Floats, scores: Floats) -> dict[str, float]:
    """AUC per task of scores [N, T]."""
    return {task: float(roc_auc_score(labels[:, index], scores[:, index])) for index, task in enumerate(TASKS)}


def floor(log: Log, training: Bools, scored: Bools) -> report.Result:
    """The sum of the keys' logits, without fitting."""
    logits = np.sum([each[:, : len(TASKS)] for each in statistics(log, FLOOR_KEYS, training)], axis=0)
    return report.Result("floor: logits of counts", auc(log.labels[scored], logits[scored]))


def lightgbm(
    model: str, log: Log, *, last: int, with_statistics: bool, history: Floats | None, threads: int, seed: int = 1
) -> report.Result:
    """One LightGBM per task for the day `last`; settings and rounds are chosen on the day before it."""
    raw = np.column_stack([*(log.codes[name] for name in CATEGORICAL), *(log.numbers[name] for name in NUMERIC)])
    columns = [raw] if history is None else [raw, history]
    categories = tuple(range(len(CATEGORICAL)))
    few_values = tuple(index for index in categories if CATEGORICAL[index] not in MANY_VALUES)
    # With statistics, the ids' codes add nothing; without them, either encoding may win, so both are tried.
    readings = ((), few_values) if with_statistics else ((), few_values, categories)
    settings = [boosting.Setting(leaves, reading) for leaves in (15, 63) for reading in readings]

    def view(day: int) -> tuple[Floats, Bools, Bools]:
        """Features free of labels from `day` on, the rows before `day`, and the rows of `day`."""
        before = log.day < day
        own = statistics(log, STATISTICS_KEYS, before) if with_statistics else []
        return np.column_stack([*columns, *own]), before, log.day == day

    tuning, final = view(last - 1), view(last)
    fits = [
        boosting.fit(
            tuning=tuning, final=final, labels=log.labels[:, task], settings=settings, threads=threads, seed=seed
        )
        for task in range(len(TASKS))
    ]
    chosen = {
        task: {"leaves": fit.setting.leaves, "categories": len(fit.setting.as_categories), "rounds": fit.rounds}
        for task, fit in zip(TASKS, fits, strict=True)
    }
    scores = np.column_stack([fit.scores for fit in fits])
    return report.Result(model, auc(log.labels[final[2]], scores), chosen)


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
    json: Annotated[Path, typer.Option(help="Where to write the results.")],
    history: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The users' earlier history, Parquet; adds two models."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that LightGBM may use.")] = 2,
) -> None:
    """Predict the last day of KuaiRand from the days before and report AUC per task."""
    log = load(data)
    last = int(log.day.max())
    earlier = user_history.features(history, log) if history else None
    results = [floor(log, log.day < last, log.day == last)]
    variants: list[tuple[str, bool, Floats | None]] = [
        ("LightGBM, raw", False, None),
        ("LightGBM, statistics", True, None),
    ]
    if earlier is not None:
        variants += [("LightGBM, raw + history", False, earlier), ("LightGBM, statistics + history", True, earlier)]
    for model, with_statistics, features in variants:
        results.append(
            lightgbm(model, log, last=last, with_statistics=with_statistics, history=features, threads=threads)
        )
    report.write(
        json,
        benchmark="kuairand",
        protocol={
            "validation": "last day",
            "training_rows": int((log.day < last).sum()),
            "validation_rows": int((log.day == last).sum()),
        },
        packages=("lightgbm", "numpy", "scikit-learn"),
        results=results,
    )


if __name__ == "__main__":
    typer.run(main)
