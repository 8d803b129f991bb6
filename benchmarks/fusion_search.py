"""Compares search methods with brute force where the true utility is known, and searched fusions with fixed ones.

python -m benchmarks.fusion_search simulator --artifact A --data LOG --output runs/fusion_search
python -m benchmarks.fusion_search kuairand --artifact A --data LOG --output runs/fusion_search
python -m benchmarks.fusion_search figure --artifact A --data LOG --output docs/figures
"""

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import vl_convert
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json
from ranker.artifact import load
from ranker.fusion import Plan
from ranker.log_files.log_reader import Log
from training.commands.search import SearchOptions, search
from training.fusion_search.confidence import OBJECTIVE, gains
from training.fusion_search.evaluator import Evaluator, Floats
from training.fusion_search.loop import search as searched_by
from training.fusion_search.methods import METHODS
from training.fusion_search.objective import Goal, parse_goal
from training.fusion_search.scored_rows import ScoredRows, scored_rows
from training.fusion_search.space import Space, space
from training.reports.search import path, sensitivity
from training.simulator import World

UTILITY = "utility"
PLACES = 3
BRUTE = 20_000
BUDGETS = {"gaussian_process": 60, "tpe": 150, "cma_es": 200, "cross_entropy": 200, "grid": 1025}
"""Parameter sets that a method may try; ``BUDGET`` for the other methods."""
BUDGET = 300
SEEDS = 3
FORMULAS = {"multiplicative": 1.0, "powered_product": 1.0, "additive": 20.0}
"""Formulas searched on KuaiRand, with the search radius around the current or default parameters."""
WEIGHTS = {
    "alike": {"is_click": 1.0, "long_view": 1.0, "is_like": 1.0, "is_profile_enter": 1.0},
    "views": {"is_click": 1.0, "long_view": 3.0, "is_like": 0.5, "is_profile_enter": 0.5},
    "social": {"is_click": 0.5, "long_view": 0.5, "is_like": 3.0, "is_profile_enter": 2.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=["simulator", "kuairand", "figure"])
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="The log that the artifact was trained on.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--split", type=int, default=0, help="Seed of the held-out groups.")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    {"simulator": simulator, "kuairand": kuairand, "figure": figure}[options.which](
        options.artifact, options.data, options.output, options.split
    )


def simulator(artifact: Path, data: Path, output: Path, split: int) -> None:
    """Utility of each session's top ranks, searched within all formulas' trust regions around the defaults."""
    log = with_utility(data, output / "with_utility")
    loaded = load(artifact)
    rows, _ = scored_rows(loaded, Log([log]), "request_id", [UTILITY], output, lambda *_: None)
    searching, held_out = rows.halves(0.5, seed=split)
    goal = parse_goal(f"{UTILITY}.mean@{PLACES}", [], loaded.schema)
    lines: list[dict[str, Any]] = []
    for formula in ("additive", "multiplicative"):
        plan = loaded.fusion.with_formula(formula, {}) if formula != loaded.fusion.fusion.name else loaded.fusion
        plan = plan.replaced({"power": 1.0}) if formula == "multiplicative" else plan
        around = space(plan, ["power"] if formula == "multiplicative" else [], trust=3.0)
        evaluator = Evaluator(plan, searching, goal.metrics, jobs=os.cpu_count() or 1)
        elsewhere = Evaluator(plan, held_out, goal.metrics)
        ideal, chance = best_order(searching), float(searching.columns[UTILITY].mean())
        today = evaluator.baseline()
        brute = _searched("random", around, goal, today, evaluator, BRUTE, seed=1000)
        lines.append({**_line(formula, "brute force", around, brute, elsewhere), "ideal": ideal, "chance": chance})
        for method in METHODS:
            if METHODS[method].front:
                continue
            budget = BUDGETS.get(method, BUDGET)
            runs = [_searched(method, around, goal, today, evaluator, budget, seed) for seed in range(SEEDS)]
            worst = min(runs, key=lambda run: run["value"])
            line = _line(formula, method, around, worst, elsewhere)
            line["recovered"] = worst["value"] / brute["value"]
            line["of_gain"] = (worst["value"] - float(today[0])) / (brute["value"] - float(today[0]))
            line["mean_recovered"] = float(np.mean([run["value"] for run in runs])) / brute["value"]
            lines.append(line)
            Console().print(line)
    write_json(output / "simulator.json", {"rows": len(searching), "held_out": len(held_out), "results": lines})
    table = Table("formula", "method", "sets", "seconds", "utility", "recovered", "of the gain", "held out")
    for line in lines:
        table.add_row(
            line["formula"], line["method"], f"{line['sets']:,}", f"{line['seconds']:.1f}", f"{line['value']:.4f}",
            f"{100 * line.get('recovered', 1):.2f} %", f"{100 * line.get('of_gain', 1):.1f} %",
            f"{line['held_out']:.4f}",
        )  # fmt: skip
    Console(width=140).print(table)


def _searched(
    method: str, around: Space, goal: Goal[Any], today: Floats, evaluator: Evaluator, budget: int, seed: int
) -> dict[str, Any]:
    begun = time.perf_counter()
    history = searched_by(
        method, around.start, goal, today, lambda points: evaluator(around.sets(points)), budget=budget, seed=seed
    )
    best = history.points[history.best]
    return {
        "point": best,
        "value": float(history.fitness[history.best]),
        "sets": len(history.points),
        "seconds": time.perf_counter() - begun,
    }


def _line(formula: str, method: str, around: Space, run: Mapping[str, Any], elsewhere: Evaluator) -> dict[str, Any]:
    return {
        "formula": formula,
        "method": method,
        "sets": run["sets"],
        "seconds": run["seconds"],
        "value": run["value"],
        "held_out": float(elsewhere(around.sets(run["point"][None]))[0, 0]),
        "parameters": dict(zip([d.name for d in around.dimensions], around.values(run["point"]).tolist(), strict=True)),
    }


def best_order(rows: ScoredRows) -> float:
    """Utility of the top ranks when sessions are ranked by the true utility."""
    worth = rows.columns[UTILITY]
    order = np.lexsort((-worth, rows.groups))
    starts = np.flatnonzero(np.diff(rows.groups[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    first = rank < PLACES
    sizes = np.minimum(np.bincount(rows.groups), PLACES)
    return float((np.bincount(rows.groups[order][first], worth[order][first]) / sizes).mean())


def with_utility(data: Path, folder: Path) -> Path:
    """The simulated log with its true utility as an additional column."""
    world = World.load(data)
    folder.mkdir(parents=True, exist_ok=True)
    for part in sorted(data.glob("*.parquet")):
        if not (folder / part.name).is_file():
            table = pq.read_table(part)
            worth = world.utility(table["user_id"].to_numpy(), table["item_id"].to_numpy())
            pq.write_table(table.append_column(UTILITY, pa.array(worth)), folder / part.name)
    return folder


def kuairand(artifact: Path, data: Path, output: Path, split: int) -> None:
    """On the last day, search parameters on one half of the users and evaluate all fusions on the other half."""
    loaded = load(artifact)
    rows, _ = scored_rows(loaded, Log([data]), "user_id", [], output, lambda *_: None)
    searching, held_out = rows.halves(0.5, seed=split)
    equal = loaded.fusion.with_formula("additive", {})
    lines = []
    for name, weights in WEIGHTS.items():
        goal = parse_goal(" + ".join(f"{w:g}*{task}.auc" for task, w in weights.items()), [], loaded.schema)
        found = {}
        for formula, trust in FORMULAS.items():
            plan = loaded.fusion if formula == loaded.fusion.fusion.name else loaded.fusion.with_formula(formula, {})
            around, evaluator = space(plan, [], trust), Evaluator(plan, searching, goal.metrics, jobs=2)
            best = _searched("cross_entropy", around, goal, evaluator.baseline(), evaluator, 500, seed=0)
            measured = Evaluator(plan, held_out, goal.metrics), around.sets(best["point"][None])
            elsewhere = float(goal.objective(measured[0](measured[1])[0]))
            found[formula] = {"searching": best["value"], "held_out": elsewhere, "measured": measured}
        chosen = max(found, key=lambda formula: found[formula]["searching"])
        line: dict[str, Any] = {"weights": name, "goal": goal.text, "formula": chosen}
        line["searched"] = found[chosen]["held_out"]
        line["formulas"] = {f: [one["searching"], one["held_out"]] for f, one in found.items()}
        for given, plan in (("default", loaded.fusion), ("additive", equal)):
            evaluator = Evaluator(plan, held_out, goal.metrics)
            line[given] = float(goal.objective(evaluator.baseline()))
            present = (evaluator, _present(plan))
            line[f"over_{given}"] = gains(goal, present, found[chosen]["measured"], 500, 0)[OBJECTIVE]
        lines.append(line)
        Console().print(line["formulas"])
    write_json(output / "kuairand.json", {"rows": len(searching), "held_out": len(held_out), "results": lines})
    table = Table("objective", "formula", "default", "additive", "searched", "over default", "over additive")
    for line in lines:
        spans = ["[{:+.4f}, {:+.4f}]".format(*line[f"over_{given}"]) for given in ("default", "additive")]
        table.add_row(
            line["goal"],
            line["formula"],
            *(f"{line[way]:.4f}" for way in ("default", "additive", "searched")),
            *(span.replace("[", "\\[") for span in spans),
        )
    Console(width=180).print(table)


def figure(artifact: Path, data: Path, output: Path, split: int) -> None:
    """Write two charts of a search's report as ``fusion_search.svg``."""
    with TemporaryDirectory() as folder:
        asked = SearchOptions(maximise="click.auc + 2*like.auc + 2*share.auc", vary=["power"], budget=300, seed=split)
        found = search(artifact, [data], asked, output=folder)
    charts = [chart.properties(width=560, height=170) for chart in (sensitivity(found), path(found))]
    drawn = alt.vconcat(*charts).resolve_scale(color="independent")
    (output / "fusion_search.svg").write_text(vl_convert.vegalite_to_svg(drawn.to_json()), encoding="utf-8")


def _present(plan: Plan) -> dict[str, Any]:
    return {name: values[None] for name, values in plan.fusion.arrays.items()}


if __name__ == "__main__":
    main()
