"""Census income, by the protocol of the MMoE and PLE papers: LightGBM per task.

Ma et al., KDD 2018; Tang et al., RecSys 2020. Train on the original training file; split the original test file 1:1
at random into validation and test; choose on validation, report on test. Education and marital status are dropped.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import roc_auc_score

from benchmarks import report
from benchmarks.kuairand import Bools, codes
from benchmarks.peers import boosting

TASKS = ("income_50k", "never_married")
# The papers' other labels, dropped if the file still has them.
DROPPED = ("education", "marital_stat")
SPLIT_SEED = 2018
LEAVES = (15, 31, 63)


def read(folder: Path) -> tuple[pd.DataFrame, int]:
    """Concatenate both files; return them and the number of training rows.

    Raises
    ------
    FileNotFoundError
        The folder lacks `train.parquet` or `test.parquet`.
    ValueError
        A label is missing.
    """
    frames = []
    for name in ("train.parquet", "test.parquet"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no file {folder / name}; benchmarks/README.md describes the expected tables")
        frame = pd.read_parquet(folder / name)
        missing = [task for task in TASKS if task not in frame]
        if missing:
            raise ValueError(f"{folder / name} lacks the labels {', '.join(missing)}")
        frames.append(frame)
    # Plain text, since the two files may number a column's categories differently.
    return pd.concat([frame.astype(_as_text(frame)) for frame in frames], ignore_index=True), len(frames[0])


def _as_text(frame: pd.DataFrame) -> dict[str, type]:
    return {name: str for name in frame if not pd.api.types.is_numeric_dtype(frame[name])}


def tested_half(rows: int) -> Bools:
    """Mask [rows] of the test file's rows used for the test; the others are for validation."""
    half = np.zeros(rows, dtype=bool)
    half[np.random.default_rng(SPLIT_SEED).permutation(rows)[: rows // 2]] = True
    return half


def main(
    data: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder with train.parquet and test.parquet.")
    ],
    json: Annotated[Path, typer.Option(help="Where to write the results.")],
    threads: Annotated[int, typer.Option(min=1, help="Threads that LightGBM may use.")] = 2,
) -> None:
    """Fit LightGBM per task on census income and report AUC on the test half."""
    frame, training_rows = read(data)
    names = [name for name in frame if name not in (*TASKS, *DROPPED)]
    categories = tuple(index for index, name in enumerate(names) if not pd.api.types.is_numeric_dtype(frame[name]))
    features = np.column_stack(
        [codes(frame[name].to_numpy()) if index in categories else frame[name] for index, name in enumerate(names)]
    ).astype(np.float64)
    labels = frame[list(TASKS)].to_numpy(dtype=np.float64)
    training = np.arange(len(frame)) < training_rows
    tested = np.zeros(len(frame), dtype=bool)
    tested[training_rows:] = tested_half(len(frame) - training_rows)
    validation = ~training & ~tested
    settings = [boosting.Setting(leaves, categories) for leaves in LEAVES]
    fits = [
        boosting.fit(
            tuning=(features, training, validation),
            final=(features, training, tested),
            labels=labels[:, task],
            settings=settings,
            threads=threads,
        )
        for task in range(len(TASKS))
    ]
    scores = {task: fit.scores for task, fit in zip(TASKS, fits, strict=True)}
    result = report.Result(
        "LightGBM",
        {task: float(roc_auc_score(labels[tested, index], scores[task])) for index, task in enumerate(TASKS)},
        {task: {"leaves": fit.setting.leaves, "rounds": fit.rounds} for task, fit in zip(TASKS, fits, strict=True)},
    )
    report.write(
        json,
        benchmark="census_income",
        protocol={
            "training_rows": training_rows,
            "validation_rows": int(validation.sum()),
            "test_rows": int(tested.sum()),
            "split_seed": SPLIT_SEED,
            "dropped": list(DROPPED),
        },
        packages=("lightgbm", "numpy", "scikit-learn"),
        results=[result],
    )


if __name__ == "__main__":
    typer.run(main)
