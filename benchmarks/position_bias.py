"""Position bias: the learnt curve, true clicks and calibration of each method on simulated logs.

    python -m benchmarks.position_bias

Recipe: the simulator's users examine position k with probability 1 / k, and click what they examine and like. The
logging policy orders by the items' popularity, which says little of clicks, and by noise; with --skill it also knows
the user's true click logit. A model of 64-32 units learns clicks from the log, and ranks new requests: users by their
activity, 20 random items each. Truth is the world's: the share of the best ranking's expected clicks at the first ten
places, and the mean score over the mean probability of a click of an examined item. Errors of curves are the largest of
the ten places', of the mean curve and of each seed's.

- `ignored`: no position;
- `feature`: the position is a feature of the model, and null in the new requests;
- the others are settings of `position`.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from training.quiet_imports import TRAINING, import_quietly

if TYPE_CHECKING:
    from training.simulator import World

PLACES, REQUESTS, CANDIDATES = 10, 2000, 20
METHODS: dict[str, dict[str, Any] | None] = {
    "ignored": None,
    "feature": None,
    "additive": {"method": "additive"},
    "additive, dropout 0": {"method": "additive", "dropout": 0.0},
    "multiplicative": {"method": "multiplicative"},
    "propensity": {"method": "propensity"},
}
CONTEXT = {
    "user_id": {"kind": "categorical", "dimension": 8, "min_count": 5},
    "user_age": {"kind": "numeric"},
    "device": {"kind": "categorical", "dimension": 4},
}
CANDIDATE = {
    "item_id": {"kind": "categorical", "dimension": 8},
    "author_id": {"kind": "categorical", "dimension": 8},
    "category": {"kind": "categorical", "dimension": 4},
    "duration_s": {"kind": "numeric", "transform": "log1p"},
    "item_embedding": {"kind": "dense", "size": 8},
}


def config(name: str, seed: int) -> dict[str, Any]:
    """The training config of a method."""
    feature = {"position": {"kind": "numeric", "transform": "log1p"}} if name == "feature" else {}
    position = METHODS[name]
    return {
        "data": {"split": {"by": "time", "column": "date", "last": 1}},
        "schema": {
            "candidate_id": "item_id",
            "context": CONTEXT,
            "candidate": {**CANDIDATE, **feature},
            "tasks": {"click": {"kind": "binary"}},
        },
        "architecture": {"name": "shared_bottom", "bottom": [64, 32], "towers": []},
        "optimizer": {"dense": {"learning_rate": 0.002, "schedule": "cosine"}},
        "training": {"epochs": 4, "batch_size": 512, "seed": seed, "threads": 1},
        "early_stopping": None,
        "evaluation": {"bootstrap": 0},
        **({} if position is None else {"position": {"column": "position", **position}}),
    }


def requests(log: pa.Table, seed: int) -> tuple[dict[str, list[Any]], Any, Any]:
    """Columns of new requests' rows, with users [R] and items [R, 20]."""
    random = np.random.default_rng(seed)
    frame = log.select([*CONTEXT, *CANDIDATE]).to_pandas()
    users, items = (frame.drop_duplicates(name).set_index(name) for name in ("user_id", "item_id"))
    user = random.choice(frame["user_id"].to_numpy(), REQUESTS)
    known = items.index.to_numpy()
    item = np.stack([random.choice(known, CANDIDATES, replace=False) for _ in range(REQUESTS)])
    of_user, of_item = users.loc[np.repeat(user, CANDIDATES)], items.loc[item.ravel()]
    columns = {name: of_user[name].tolist() for name in CONTEXT if name != "user_id"}
    columns |= {name: of_item[name].tolist() for name in CANDIDATE if name != "item_id"}
    columns["item_embedding"] = [list(vector) for vector in columns["item_embedding"]]
    ids = {"user_id": np.repeat(user, CANDIDATES).tolist(), "item_id": item.ravel().tolist()}
    return {**columns, **ids, "position": [None] * item.size}, user, item


def measured(name: str, log: Path, asked: Any, world: "World", seed: int) -> tuple[list[float], list[float] | None]:
    """Share of the best clicks, calibration and seconds of a method, and its curve at the first ten places."""
    from training.config.experiment import checked
    from training.trainer.epoch import scorer
    from training.trainer.train import train

    columns, users, items = asked
    begun = time.process_time()
    with TemporaryDirectory() as folder:
        run = train(checked(config(name, seed)), [str(log)], Path(folder) / "run")
        seconds = time.process_time() - begun
        encoder, score = run.prepared.encoder, scorer(run.model)
        packed = encoder.encode(columns, columns)._asdict()
        scores = score({n: a for n, a in packed.items() if a.shape[1]})[:, 0].reshape(items.shape)
    truth = world.expected(users[:, None], items)["click"]
    order = np.argsort(-scores, axis=1, kind="stable")
    clicks = world.collected(users, items, order, PLACES)["click"].mean()
    best = world.collected(users, items, np.argsort(-truth, axis=1), PLACES)["click"].mean()
    curve = run.metrics["position"]["tasks"]["click"]["relative"] if "position" in run.metrics else None
    return [float(clicks / best), float(scores.mean() / truth.mean()), seconds], curve


def main(
    rows: int = 300_000,
    seeds: int = 5,
    bias: float = 1.0,
    skill: float = 0.0,
    popularity: float = 1.0,
    noise: float = 1.0,
) -> None:
    """Print, over the seeds, what each method learns and how well it ranks."""
    import_quietly(TRAINING)
    from training.simulator import SimulatorConfig, World
    from training.simulator.log import impressions

    found: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    curves: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    for seed in range(seeds):
        sizes = {"users": 2000, "items": 500, "authors": 100, "days": 6}
        policy = {"policy_skill": skill, "policy_popularity": popularity, "policy_noise": noise}
        rates = {"click_rate": 0.12, "long_view_rate": 0.06, "like_rate": 0.02, "share_rate": 0.005}
        world = World(
            SimulatorConfig.model_validate(
                {"rows": rows, "seed": seed, **sizes, **rates, **policy, "position_bias": bias}
            )
        )
        log = pa.concat_tables(impressions(world))
        asked = requests(log, seed)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "log.parquet"
            pq.write_table(log, file)
            for name in METHODS:
                values, curve = measured(name, file, asked, world, seed)
                found[name].append(values)
                if curve is not None:
                    curves[name].append(curve)
    truth = np.arange(1, PLACES + 1, dtype=np.float64) ** -bias
    table = Table(
        "method", "best clicks", "above ignored", "score / truth", "curve: largest error", "of seeds", "CPU s"
    )
    for name, of_seeds in found.items():
        clicks, calibration, seconds = np.array(of_seeds).T
        gain = clicks - np.array(found["ignored"])[:, 0]
        cells = [f"{clicks.mean():.4f}", f"{gain.mean():+.4f} ± {gain.std(ddof=1) if seeds > 1 else 0:.4f}"]
        errors = np.abs(np.array(curves[name]) / truth - 1) if curves[name] else None
        mean = "-" if errors is None else f"{np.abs(np.mean(curves[name], axis=0) / truth - 1).max():.1%}"
        each = "-" if errors is None else ", ".join(f"{error:.1%}" for error in errors.max(axis=1))
        table.add_row(name, *cells, f"{calibration.mean():.3f}", mean, each, f"{seconds.mean():.0f}")
    console = Console(width=140)
    console.print(table)
    for name in METHODS:
        if curves[name]:
            shown = ", ".join(f"{value:.3f}" for value in np.mean(curves[name], axis=0))
            console.print(f"{name}: {shown}")


if __name__ == "__main__":
    typer.run(main)
