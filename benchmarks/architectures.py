"""Compares every architecture with other libraries on one data set: tables for the documentation.

    python -m benchmarks.architectures census --data FOLDER --output runs/census
    python -m benchmarks.architectures kuairand --data LOG.parquet --history HISTORY.parquet --output runs/kuairand

Runs the peers first, then `ranker-train compare`, then writes `table.md`. Finished steps are not repeated.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

# Best result of each paper, for the tasks income over 50k and never married.
PAPERS: dict[str, tuple[float, ...]] = {
    "MMoE paper: single task": (0.9398, 0.9933),
    "MMoE paper: shared bottom": (0.9361, 0.9915),
    "MMoE paper: cross-stitch": (0.9406, 0.9917),
    "MMoE paper: OMoE": (0.9387, 0.9928),
    "MMoE paper: MMoE": (0.9410, 0.9926),
    "PLE paper: single task": (0.9445, 0.9923),
    "PLE paper: PLE": (0.9522, 0.9945),
}
# esmm is independent networks with another funnel, and neither data set has a conditional task.
ARCHITECTURES = (
    "independent,shared_bottom,asymmetric,customized,omoe,mmoe,ml_mmoe,cgc,ple,cross_stitch,sluice,soft_sharing,"
    "aitm,dbmtl,pepnet,home,stem"
)

Output = Annotated[Path, typer.Option(help="Folder for intermediate and final results.")]
Seeds = Annotated[int, typer.Option(min=1)]
Jobs = Annotated[int, typer.Option(min=1, help="Number of parallel trainings.")]
Peers = Annotated[Path, typer.Option(help="Python interpreter of the peers' environment.")]


@app.command()
def census(
    data: Annotated[Path, typer.Option(help="Folder with train.parquet and test.parquet.")],
    output: Output,
    seeds: Seeds = 3,
    jobs: Jobs = 2,
    peers_python: Peers = Path(".peers/bin/python"),
) -> None:
    """Census-Income: validation on one half of the test file, test on the other."""
    import pyarrow.parquet as pq

    from benchmarks.peers.census_income import tested_half

    output.mkdir(parents=True, exist_ok=True)
    table = pq.read_table(data / "test.parquet")
    tested = tested_half(table.num_rows)
    for name, mask in (("validation", ~tested), ("test", tested)):
        pq.write_table(table.filter(mask), output / f"{name}.parquet")
    config = yaml.safe_load(Path("configs/census_income.yaml").read_text())
    config["data"] = {"split": {"by": "files", "paths": [str(output / "validation.parquet")]}}
    config["evaluation"] = {"bootstrap": 0}
    config["trees"] = None  # the networks alone are compared
    (output / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    _peer(peers_python, "census_income", output, "--data", data)
    _peer(peers_python, "census_income_rechub", output, "--data", data, "--seeds", seeds)
    test = ("--test", output / "test.parquet")
    _compare(output / "config.yaml", data / "train.parquet", output, seeds, jobs, *test)
    _write_table(output, ("census_income", "census_income_rechub"), PAPERS)


@app.command()
def kuairand(
    data: Annotated[Path, typer.Option(help="KuaiRand-Pure's impression log, Parquet.")],
    history: Annotated[Path, typer.Option(help="Its users' histories, Parquet.")],
    output: Output,
    seeds: Seeds = 3,
    jobs: Jobs = 2,
    peers_python: Peers = Path(".peers/bin/python"),
) -> None:
    """KuaiRand: tests on the last day, which is used for no choice, neither ours nor the peers'."""
    log = output / "log.parquet"
    if not log.is_file():
        _run(sys.executable, "-m", "benchmarks.kuairand_log", data, history, log)
    _peer(peers_python, "kuairand", output, "--data", data, "--history", history)
    _compare(Path("configs/kuairand_history.yaml"), log, output, seeds, jobs)
    _write_table(output, ("kuairand",), {})


def _peer(python: Path, module: str, output: Path, *arguments: object) -> None:
    target = output / f"{module}.json"
    if not target.is_file():
        _run(python, "-m", f"benchmarks.peers.{module}", *arguments, "--json", target)


def _compare(config: Path, data: Path, output: Path, seeds: int, jobs: int, *more: object) -> None:
    command = (sys.executable, "-m", "training.cli", "compare", config, "--data", data, "--output", output / "compare")
    _run(*command, "--vary", f"architecture={ARCHITECTURES}", "--seeds", seeds, "--jobs", jobs, *more)


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def _write_table(output: Path, peers: tuple[str, ...], papers: dict[str, tuple[float, ...]]) -> None:
    """Write `table.md`: ours with spread and cost, then the peers, then the papers."""
    ours = json.loads((output / "compare" / "results.json").read_text())["rows"]
    tasks = list(ours[0]["tasks"])
    heads = ["model", *tasks, "mean", "FLOPs per candidate", "samples/s", "serving ms"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *(_ours(row, tasks) for row in ours)]
    for peer in peers:
        for result in json.loads((output / f"{peer}.json").read_text())["results"]:
            values = [result["auc"][task] for task in tasks]
            lines.append(
                [result["model"], *(f"{v:.4f}" for v in values), f"{sum(values) / len(values):.4f}", *[""] * 3]
            )
    for name, told in papers.items():
        lines.append([name, *(f"{v:.4f}" for v in told), f"{sum(told) / len(told):.4f}", *[""] * 3])
    (output / "table.md").write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))
    print((output / "table.md").read_text())


def _ours(row: dict[str, Any], tasks: list[str]) -> list[str]:
    def spread(value: dict[str, float]) -> str:
        return f"{value['mean']:.4f}" + (f" ± {value['deviation']:.4f}" if value["deviation"] is not None else "")

    costs = row["costs"]
    quality = [spread(row["tasks"][task]["auc"]) for task in tasks]
    shown = [
        f"{costs['flops_per_candidate']:,.0f}",
        f"{costs['samples_per_second']:,.0f}",
        f"{costs['serving_ms']:.2f}",
    ]
    return [f"**{row['name']}**", *quality, spread(row["mean_auc"]), *shown]


if __name__ == "__main__":
    app()
