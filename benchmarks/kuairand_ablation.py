"""What each part of the KuaiRand config gains and costs: left out, or added, on days before those it is judged on.

    python -m benchmarks.kuairand_ablation configs/kuairand_blend.yaml --log LOG.parquet --output runs/ablation

An ensemble of the config is one of the additions: all else has one network, which trains in a third of the time.
LOG is the output of `benchmarks.kuairand_log`. Each of `--days` (counted from the first, 29 and 30 April by default) is
predicted from all days before it. The table has the mean of the four AUCs over days and seeds, the difference to the
config as it is, CPU seconds of one training and CPU milliseconds of scoring 500 candidates (the least of 50 requests).
Finished trainings are not repeated.
"""

import json
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml

from benchmarks.kuairand import DAY, TASKS
from training.quiet_imports import TRAINING, import_quietly

if TYPE_CHECKING:
    from ranker.inference import Model

CANDIDATES, REQUESTS = 500, 50
Config = dict[str, Any]


def _sides(config: Config) -> list[dict[str, Config]]:
    return [config["schema"][side] for side in ("context", "candidate")]


def _unchanged(config: Config) -> None:
    del config


def _without_histories(config: Config) -> None:
    for side in _sides(config):
        for name in [name for name in side if name.startswith("h_") or name == "long_watch_seq"]:
            del side[name]


def _all_ids(config: Config) -> None:
    for side in _sides(config):
        for feature in side.values():
            if feature.get("min_count") == 50:
                feature["min_count"] = 5


def _wide(config: Config) -> None:
    for side in _sides(config):
        for feature in side.values():
            if "dimension" in feature:
                feature["dimension"] = 8


def _numbers(transform: str) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        for side in _sides(config):
            for feature in side.values():
                if feature["kind"] == "numeric" and feature.get("transform") != "buckets":
                    feature["transform"] = transform

    return change


def _matches(config: Config) -> None:
    """Videos, authors and tags in the lists of watched, long-watched and liked ones."""
    schema = config["schema"]
    schema["matches"] = []
    for of, ending, longest in (("video_id", "", 50), ("i_author_id", "_authors", 50), ("i_tag", "_tags", 100)):
        lists = {f"matched_{kind}{ending}": f"{kind}_seq{ending}" for kind in ("watch", "long_watch", "like")}
        for name, column in lists.items():
            feature = {"kind": "sequence", "column": column, "shares": of, "max_length": longest, "pooling": "none"}
            schema["context"][name] = feature
        schema["matches"].append({"of": of, "in": list(lists), "as": ["count", "last"]})


def _crosses(config: Config) -> None:
    config["schema"]["label_statistics"]["of"] += [[user, of] for user, of in CROSSES]


CROSSES = (("user_id", "i_author_id"), ("user_id", "tag_set"), ("u_user_active_degree", "video_id"))


def _set(path: str, value: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        *folders, last = path.split(".")
        for folder in folders:
            config = config.setdefault(folder, {})
        config[last] = value

    return change


def _plain(config: Config) -> None:
    """No statistics, histories, trees or regularisation of ids: the usual network on the log's columns."""
    for change in (_without_histories, _all_ids, _wide, *(_set(*each) for each in PLAIN)):
        change(config)


PLAIN = (("schema.label_statistics", None), ("trees", None), ("embedding.dropout", 0.0))
WITHOUT = {
    "trees": _set("trees", None),
    "label statistics": _set("schema.label_statistics", None),
    "histories": _without_histories,
    "dropout of ids": _set("embedding.dropout", 0.0),
    "min_count of 50": _all_ids,
    "dimension of 4 (8 instead)": _wide,
    "PEPNet (shared bottom of 256-128 instead)": _set(
        "architecture", {"name": "shared_bottom", "bottom": [256, 128], "towers": [32], "dropout": 0.4}
    ),
}
ADDED = {
    "ensemble: {seeds: 3}": _set("ensemble", {"seeds": 3}),
    "trees as inputs, not blended": _set("trees.blend", None),
    "optimizer.average: 0.99": _set("optimizer.average", 0.99),
    "matches": _matches,
    "piecewise linear numbers": _numbers("piecewise_linear"),
    "periodic numbers": _numbers("periodic"),
    "DIN pooling of the history": _set("schema.context.long_watch_seq.pooling", "din"),
    "multi-head attention of the history": _set("schema.context.long_watch_seq.pooling", "multi_head"),
    "statistics of three more crosses": _crosses,
    "half_lives: [3]": _set("schema.label_statistics.half_lives", [3]),
    "past_only": _set("schema.label_statistics.past_only", True),
}


def _alone(part: str) -> Callable[[Config], None]:
    """The plain config with one part of the whole one."""

    def change(config: Config) -> None:
        whole = deepcopy(config)
        _plain(config)
        if part == "label statistics":
            config["schema"]["label_statistics"] = whole["schema"]["label_statistics"]
        elif part == "trees":
            config["trees"] = whole["trees"]
        elif part == "dropout of ids":
            config["embedding"] = whole["embedding"]
        elif part == "histories":
            for side, of_whole in zip(_sides(config), _sides(whole), strict=True):
                side.update({name: value for name, value in of_whole.items() if name not in side})
        else:
            for side, of_whole in zip(_sides(config), _sides(whole), strict=True):
                for name, feature in side.items():
                    if of_whole[name].get("min_count") == 50:
                        feature["min_count"] = 50

    return change


ALONE = ("trees", "label statistics", "histories", "dropout of ids", "min_count of 50")
NO_REFIT = "without a refit: never trained on the day before"
VARIATIONS: dict[str, Callable[[Config], None]] = {
    "as it is": _unchanged,
    NO_REFIT: _unchanged,
    **{f"without {name}": change for name, change in WITHOUT.items()},
    **{f"with {name}": change for name, change in ADDED.items()},
    "none of the parts": _plain,
    **{f"only {name}": _alone(name) for name in ALONE},
}


def main(
    config: Annotated[Path, typer.Argument(help="The config to vary.")],
    log: Annotated[Path, typer.Option(help="Log with histories, Parquet.")],
    output: Annotated[Path, typer.Option(help="Folder for results.")],
    days: Annotated[str, typer.Option(help="Days to predict, from 0, separated by commas.")] = "4,5",
    seeds: Annotated[int, typer.Option(min=1)] = 1,
    only: Annotated[str, typer.Option(help="Variations whose name contains this.")] = "",
) -> None:
    """Run what is missing and print the table."""
    import_quietly(TRAINING)
    output.mkdir(parents=True, exist_ok=True)
    whole, rows = yaml.safe_load(config.read_text()) | {"ensemble": None}, pd.read_parquet(log)
    names = [name for name in VARIATIONS if only in name]
    for seed in range(seeds):
        for day in map(int, days.split(",")):
            dates = np.sort(rows[DAY].unique())
            until = rows[rows[DAY] <= dates[day]]
            for name in names:
                before = until[until[DAY] != dates[day - 1]] if name == NO_REFIT else until
                file = output / f"{''.join(c if c.isalnum() else '-' for c in name)}-{day}-{seed}.json"
                if not file.is_file():
                    changed = deepcopy(whole)
                    VARIATIONS[name](changed)
                    found = _trained(changed, before.reset_index(drop=True), seed, output / f"run-{file.stem}")
                    file.write_text(json.dumps({"name": name, **found}))
                    print(name, day, seed, f"{np.mean(list(found['auc'].values())):.4f}", flush=True)
    sys.stdout.write(_table([json.loads(file.read_text()) for file in sorted(output.glob("*.json"))]))


def _trained(config: Config, rows: pd.DataFrame, seed: int, folder: Path) -> dict[str, Any]:
    from ranker.inference import Model
    from training.commands.fit import fit

    config["training"] |= {"seed": seed, "threads": 1, "refit": False}
    config["evaluation"] = {"bootstrap": 0}
    begun = time.process_time()
    run = fit(config, rows, output=folder, progress=False)
    seconds = time.process_time() - begun
    model = Model.load(run.export().folder)
    found = {
        "auc": {task: run.metrics["tasks"][task]["auc"] for task in TASKS},
        "seconds": seconds,
        "ms": _milliseconds(model, rows),
    }
    rmtree(folder)
    return found


def _milliseconds(model: "Model", rows: pd.DataFrame) -> float:
    schema = model.artifact.schema
    videos, user = rows.drop_duplicates("video_id").head(CANDIDATES), rows.iloc[-1:]
    context, candidates = (
        {
            column: [value.tolist() if isinstance(value, np.ndarray) else value for value in frame[column]]
            for column in map(schema.column, side)
        }
        for side, frame in ((schema.context, user), (schema.candidate, videos))
    )
    context, taken = {name: values[0] for name, values in context.items()}, []
    for _ in range(REQUESTS):
        begun = time.process_time()
        model.score(context, candidates)
        taken.append(time.process_time() - begun)
    return min(taken) * 1e3


def _table(found: list[dict[str, Any]]) -> str:
    means = {
        name: np.mean(
            [
                (np.mean(list(each["auc"].values())), each["seconds"], each["ms"])
                for each in found
                if each["name"] == name
            ],
            axis=0,
        )
        for name in VARIATIONS
        if any(each["name"] == name for each in found)
    }
    base = means.get("as it is")
    lines = ["| | mean AUC | difference | CPU s | ms |", "|---|---:|---:|---:|---:|"]
    for name, (auc, seconds, ms) in means.items():
        gain = "" if base is None or name == "as it is" else f"{auc - base[0]:+.4f}"
        lines.append(f"| {name} | {auc:.4f} | {gain} | {seconds:.0f} | {ms:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
