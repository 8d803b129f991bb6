"""LightGBM per task on the sets of `benchmarks.further_sets`, with the features that our config's schema computes.

    python -m benchmarks.peers.further_sets FOLDER SEED

Reads `train`, `validation` and `test` and the schema, writes AUC by task to `lightgbm.json`. Categorical columns are
given as categories; label statistics are the smoothed logits and the count of rows of the other folds (all rows, for
rows that are not fitted); columns within a list are its rank, z-score, difference to the mean, share of the same value
and the list's size.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import roc_auc_score

from benchmarks.kuairand import Bools, Floats, codes
from benchmarks.peers import boosting
from benchmarks.peers.label_statistics import out_of_day

LEAVES = (8, 15, 31)


def main(folder: Path, seed: int) -> None:
    """Choose on the validation rows, fit again on these too, report on the test rows."""
    schema = json.loads((folder / "features.json").read_text())
    parts = [pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "validation", "test")]
    rows = pd.concat(parts, ignore_index=True)
    part = np.repeat([0, 1, 2], [len(each) for each in parts])
    tasks = list(schema["tasks"])
    labels = rows[tasks].to_numpy(dtype=np.float64)
    features, categories = _features(rows, schema)
    fold = np.random.default_rng(seed).integers(0, 10, len(rows))

    def with_statistics(fitted: Bools) -> Floats:
        options = schema.get("label_statistics", {"of": [], "smoothing": 0})
        statistics = [
            out_of_day(codes(rows[key].to_numpy()), labels, fold, training=fitted, strength=options["smoothing"])
            for key in options["of"]
        ]
        return np.column_stack([features, *statistics])

    tuning, final = with_statistics(part == 0), with_statistics(part < 2)
    settings = [boosting.Setting(leaves, categories) for leaves in LEAVES]
    aucs = {}
    for index, task in enumerate(tasks):
        fit = boosting.fit(
            tuning=(tuning, part == 0, part == 1),
            final=(final, part < 2, part == 2),
            labels=labels[:, index],
            settings=settings,
            threads=1,
            seed=seed + 1,
        )
        aucs[task] = float(roc_auc_score(labels[part == 2, index], fit.scores))
    (folder / "lightgbm.json").write_text(json.dumps(aucs))


def _features(rows: pd.DataFrame, schema: dict[str, Any]) -> tuple[Floats, tuple[int, ...]]:
    """Columns as numbers, and which of them are categories."""
    features: list[Any] = []
    categories = []
    for name, feature in {**schema.get("context", {}), **schema["candidate"]}.items():
        if feature["kind"] == "categorical":
            categories.append(len(features))
        features.append(codes(rows[name].to_numpy()) if feature["kind"] == "categorical" else rows[name])
    within = schema.get("within_list")
    if within is not None:
        by = rows.groupby(within["list_by"])
        size = by[within["list_by"]].transform("size")
        features.append(size)
        for name in within["of"]:
            features.append(rows.groupby([within["list_by"], name])[within["list_by"]].transform("size") / size)
            if schema["candidate"][name]["kind"] == "numeric":
                mean, spread = by[name].transform("mean"), by[name].transform("std", ddof=0)
                features += [by[name].rank(), rows[name] - mean, (rows[name] - mean) / spread]
    return np.column_stack(features).astype(np.float64), tuple(categories)


if __name__ == "__main__":
    typer.run(main)
