"""What the search of ``make loop`` is truly worth, over seeds, beside random search and no search.

    .venv/bin/python -m benchmarks.loop_seeds --demo demo --seeds 5

The same world, model, powers, reward and numbers of visits as in ``benchmarks/loop.py``, without HTTP: the model scores
blocks of visits in this process, and exposures and events go to files that the search reads. Each method gets the same
visits of a seed. The true expected utility is that of fresh visits, the same for all seeds and methods; a search whose
winner is not confirmed leaves what is served today. ``--fit METHOD`` also goes on learning from that method's visits.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import yaml

from benchmarks.loop import CANDIDATES, METHOD, REWARD, TODAY, VARY, Sizes
from benchmarks.report import write_json
from ranker.artifact import load, with_fusions
from ranker.fusion import DEFAULT, Plan
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import SCORE, Predictor
from tests.training.online.shop import Floats, Scorer, Shop, crowd_of, searched, truth
from tests.training.online.world import config_of
from training.fusion_search.space import space
from training.simulator import World
from training.simulator.live import Crowd, Visits

METHODS = {
    "random": {"name": "random", "sets": METHOD["sets"]},
    "cross_entropy": {**METHOD, "name": "cross_entropy"},
    "gaussian_process": {**METHOD, "name": "gaussian_process"},
}
FRESH = 8000
"""Visits by which the truth is told."""


class Found(NamedTuple):
    """One search: whether its winner was confirmed, the gain by the confirmation, and true utilities."""

    method: str
    seed: int
    verdict: str
    confirmed: float
    covered: bool
    chosen: dict[str, float]
    served: dict[str, float]
    learnt: dict[str, float] | None


def model_scores(artifact: Path) -> Scorer:
    """Scores by an artifact, of all candidates of a block at once."""
    predictor = Predictor(artifact, PredictOptions(calibrate=False))

    def scores(crowd: Crowd, visits: Visits) -> Floats:
        table, width = crowd.features(visits), visits.candidates.shape[1]
        rows = pa.array(np.repeat(np.arange(len(visits)), width))
        for name in visits.context.column_names:
            table = table.append_column(name, visits.context[name].combine_chunks().take(rows))
        found = predictor(table)
        columns = [found[name].to_numpy() for name in found.column_names if name.startswith(SCORE)]
        return np.stack(columns, axis=1).astype(np.float64).reshape(len(visits), width, -1)

    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="Folder of `make demo`.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--fit", choices=METHODS, help="Method after which the model goes on learning.")
    parser.add_argument("--round", type=int, default=Sizes.round, help="Visits of a round.")
    parser.add_argument("--rounds", type=int, default=Sizes.rounds)
    parser.add_argument("--confirm", type=int, default=Sizes.confirm)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    artifact, world = load(asked.demo / "artifacts"), World.load(asked.demo / "log")
    sizes = Sizes(round=asked.round, rounds=asked.rounds, confirm=asked.confirm)
    plan, score = artifact.fusions[DEFAULT].replaced({"power": TODAY}), model_scores(artifact.folder)
    today = truth(world, plan, score, FRESH, candidates=CANDIDATES)
    found = []
    for method in asked.methods:
        for seed in range(asked.seeds):
            one = search(asked.demo, world, plan, score, method, seed, sizes, today, fit=method == asked.fit)
            found.append(one)
            gains = [one.chosen["request"], one.served["request"], *([one.learnt["request"]] if one.learnt else [])]
            print(one.method, one.seed, one.verdict, f"{one.confirmed:+.1%}", one.covered, gains, flush=True)
    print("\n".join(lines(found, today)))
    if asked.json is not None:
        write_json(asked.json, {"today": today, "searches": [one._asdict() for one in found]})


def search(
    demo: Path, world: World, plan: Plan, score: Scorer, method: str, seed: int, sizes: Sizes, today: dict[str, float],
    *, fit: bool,
) -> Found:  # fmt: skip
    """Search with a method, and compare its winner with today."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = config_of(
            logs={"exposures": str(folder / "exposures"), "events": [str(folder / "events")], "within": "1h"},
            reward=REWARD,
            guardrails={"clicks": {"metric": "click / requests", "most_loss": 0.3}},
            method=METHODS[method],
            round={"requests": sizes.round},
            confirm={"requests": sizes.confirm},
            budget={"rounds": sizes.rounds},
            seed=seed,
        )
        around = space(plan, VARY, 0.5)
        shop = Shop(crowd_of(world, 1000 + seed, candidates=CANDIDATES), plan, score, folder, features=fit)
        visits = {"search": sizes.round, "confirm": sizes.confirm}
        outcome = searched(config, around, shop, folder / "search", visits).outcome
        assert outcome is not None
        chosen = plan if outcome.point is None else around.at(np.array(outcome.point))
        worth = truth(world, chosen, score, FRESH, candidates=CANDIDATES)
        better = outcome.verdict == "better"
        gain = outcome.gains.get("reward")
        low, high = (np.nan, np.nan) if gain is None or gain.low is None or gain.high is None else (gain.low, gain.high)
        served = chosen if better else plan
        return Found(
            method=method,
            seed=seed,
            verdict=outcome.verdict,
            confirmed=np.nan if gain is None or gain.relative is None else gain.relative,
            covered=bool(low < worth["request"] / today["request"] - 1 < high),
            chosen=worth,
            served=worth if better else today,
            learnt=truth(world, served, model_scores(learnt(demo, folder, served)), FRESH, candidates=CANDIDATES)
            if fit
            else None,
        )


def learnt(demo: Path, folder: Path, served: Plan) -> Path:
    """The artifact after going on with what the users of a search did, as ``make loop`` does it."""
    artifact, versions = load(demo / "artifacts"), folder / "versions"
    options = served.stored().options.model_dump(mode="json")
    with_fusions(artifact, {DEFAULT: served}, {**artifact.manifest.experiment, "fusion": options}, versions)
    config = {**yaml.safe_load(Path("configs/demo.yaml").read_text()), "fusion": options}
    config["data"]["split"] = {"by": "group", "column": "request_id", "fraction": 0.2}
    config["daily"] = {"day": "date", "epochs": 1}
    (folder / "next.yaml").write_text(yaml.safe_dump(config))
    train = Path(sys.executable).parent / "ranker-train"
    commands: Sequence[Sequence[object]] = (
        ("join", "--artifact", versions, "--exposures", folder / "exposures", "--events", folder / "events",
         "--within", "1h", "--output", folder / "log"),
        ("fit", folder / "next.yaml", "--data", folder / "log", "--from", versions, "--output", versions),
    )  # fmt: skip
    for words in commands:
        subprocess.run([str(train), *(str(word) for word in words)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder / "log")
    return load(versions).folder


def lines(found: Sequence[Found], today: dict[str, float]) -> Iterator[str]:
    """The table: mean and deviation over seeds."""
    yield "| | utility of a request | of a user | gain | confirmed | chosen, whether confirmed or not |"
    yield "|---|---|---|---|---|---|"
    yield f"| no search | {today['request']:.2f} | {today['user']:.2f} | 0 | | |"
    for method in dict.fromkeys(one.method for one in found):
        own = [one for one in found if one.method == method]
        confirmed = f"{sum(one.verdict == 'better' for one in own)} of {len(own)}"
        chosen = spread([one.chosen["request"] / today["request"] - 1 for one in own], "+.1%")
        yield f"| {method} | {_cells([one.served for one in own], today)} | {confirmed} | {chosen} |"
        if all(one.learnt for one in own):
            yield f"| {method}, then `fit --from` | {_cells([one.learnt or {} for one in own], today)} | | |"


def _cells(worth: Sequence[dict[str, float]], today: dict[str, float]) -> str:
    request, user = ([one[name] for one in worth] for name in ("request", "user"))
    gains = [value / today["request"] - 1 for value in request]
    return f"{spread(request, '.2f')} | {spread(user, '.2f')} | {spread(gains, '+.1%')}"


def spread(values: Sequence[float], form: str) -> str:
    """Mean and standard deviation."""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):{form}} ± {deviation:{form.lstrip('+')}}"


if __name__ == "__main__":
    main()
