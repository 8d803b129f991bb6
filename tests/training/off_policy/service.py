"""A service that explores, without HTTP: rankings of an artifact, logged as a real one logs them, with responses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from ranker.artifact import Artifact, load, with_fusions
from ranker.exposures.reading import write_exposures
from ranker.fusion import Candidates, FusionOptions, Plan, StoredFusion, plan_for
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from tests.training.promotion.linear import fitted, sigmoid, simulated

EXPLORE = {"kind": "plackett_luce", "temperature": 0.5, "first": 3, "max_move": 3}
FUSIONS: Mapping[str, Any] = {
    "fusion": {"name": "additive", "parameters": {"share": {"click": 1.0, "like": 0.5}}, "explore": EXPLORE},
    "fusions": {
        "likes": {"name": "additive", "parameters": {"share": {"click": 0.2, "like": 3.0}}, "explore": EXPLORE},
        "fixed": {"name": "additive", "parameters": {"share": {"click": 0.2, "like": 3.0}}},
        "cheap": {
            "name": "additive",
            "rules": {"cheap": {"kind": "boost", "where": "price < 0", "multiply": 1.5}},
            "explore": EXPLORE,
        },
    },
}
SHOWN = 4


def artifact_in(root: Path, seed: int = 0, **config: Any) -> Artifact:
    """A version that knows what users like, with fusions that explore."""
    artifact = fitted(root / "model", simulated(400, 1), seed)
    plans = {
        name: plan_for(artifact.schema, StoredFusion(options=FusionOptions.model_validate(options)))
        for name, options in {"default": FUSIONS["fusion"], **FUSIONS["fusions"], **config}.items()
    }
    experiment = dict(artifact.manifest.experiment)
    experiment["data"] = {"split": {"by": "random", "fraction": 0.1}}
    experiment["evaluation"] = {**experiment["evaluation"], "group_by": "request_id"}
    written = with_fusions(artifact, plans, experiment, root / "served")
    return load(written.folder)


def facts(plan: Plan) -> str:
    """``parameters`` of the exposure log."""
    explore = plan.options.explore
    found: dict[str, Any] = {"parameters": plan.fusion.values}
    if plan.options.rerank:
        found["rerank"] = {name: step.facts for name, step in plan.options.rerank.items()}
    if explore is not None:
        found["explore"] = explore.facts
    return orjson.dumps(found).decode()


def answered(
    artifact: Artifact,
    requests: int = 300,
    seed: int = 5,
    *,
    fusion: str = "default",
    depth: int = 99,
    labelled: bool = True,
    users: int = 80,
) -> pa.Table:
    """Exposures of some requests, with labels: users look at place k with probability 1 / k."""
    frame = simulated(requests, seed)
    plan, random = artifact.fusions[fusion], np.random.default_rng(seed)
    table = Predictor(artifact, PredictOptions(calibrate=False))(pa.Table.from_pandas(frame))
    scores = np.stack([table.column(f"score_{task}").to_numpy() for task in artifact.manifest.tasks], axis=1)
    parts = []
    for request, group in frame.groupby("request", sort=False):
        rows = group.index.to_numpy()
        features = {name: group[name].to_numpy(dtype=float) for name in ("age", "price", "length")}
        ranked = plan.rank(Candidates.of(plan.objectives, scores[rows], features=features), seed=f"r{request}")
        order = ranked.order(max(SHOWN, depth))
        place = np.arange(1, len(order) + 1)
        shown = group.iloc[order]
        examined = random.random(len(order)) < 1 / place
        click = random.random(len(order)) < sigmoid(-1.0 - shown["price"].to_numpy() + 0.5 * shown["age"].to_numpy())
        like = random.random(len(order)) < sigmoid(-2.0 + 1.2 * shown["length"].to_numpy())
        explored = ranked.base_place is not None and ranked.propensity is not None
        part = {
            "request_id": f"r{request}",
            "time": pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(seconds=int(request)),
            "model": "default",
            "version": artifact.manifest.version,
            "experiment": None,
            "group": None,
            "outside": None,
            "fusion": fusion,
            "formula": plan.fusion.name,
            "parameters": facts(plan),
            "unit": f"u{request % users}",
            "candidates": len(group),
            "returned": min(SHOWN, len(order)),
            "item": np.arange(len(group))[order],
            "place": place,
            "base_place": ranked.base_place[order] if explored else None,
            "propensity": ranked.propensity[order] if explored else None,
            "fused": ranked.fused[order],
            **{f"score.{task}": scores[rows][order][:, i] for i, task in enumerate(artifact.manifest.tasks)},
            "context.age": shown["age"].to_numpy(),
            "candidate.price": shown["price"].to_numpy(),
            "candidate.length": shown["length"].to_numpy(),
        }
        if labelled:
            part |= {"click": (examined & click).astype(int), "like": (examined & like).astype(int)}
        parts.append(pd.DataFrame(part))
    return pa.Table.from_pandas(pd.concat(parts, ignore_index=True), preserve_index=False)


def log_in(folder: Path, table: pa.Table) -> Path:
    """Write exposures as a service does."""
    write_exposures(table, folder)
    return folder
