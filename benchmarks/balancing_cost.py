"""Cost of gradient balancing per train step, in time and memory over weighted-sum training, compared with TorchJD.

    python -m benchmarks.balancing_cost

Every contestant runs in its own process, and segments of steps are timed in turn, as in `training_speed`. Each is
compared with the plain step of the same model: our PLE, our MMoE, or PyTorch's MMoE of the same size.
"""

import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json
from benchmarks.training_speed import Contestant, ContestantError, in_turn, started

PLAIN = {"ple": "ple: static", "mmoe": "mmoe: static", "torchjd": "torchjd: plain"}
EXACT = "{name: pe_ltr, gradients_of: shared}"
EVERY_4 = "{name: pe_ltr, gradients_of: shared, every: 4}"
TABLES = "{name: pe_ltr, gradients_of: shared_with_embeddings}"
WEIGHTINGS = {
    "ple": {
        "static": "static",
        "representation": "pe_ltr",
        "shared": EXACT,
        "shared, every 4": EVERY_4,
        "with embeddings": TABLES,
    },
    "mmoe": {"static": "static", "representation": "pe_ltr", "shared": EXACT, "shared, every 4": EVERY_4},
}
TORCHJD = ("plain", "mtl_backward", "sequential", "engine")


def contestants(peers_python: Path) -> list[Contestant]:
    """Our contestants by architecture and method, then TorchJD's."""
    ours = [
        Contestant(
            f"{architecture}: {name}",
            (sys.executable, "-m", "benchmarks.ours.balancing", "--architecture", architecture, "--weighting", options),
        )
        for architecture, methods in WEIGHTINGS.items()
        for name, options in methods.items()
    ]
    python = str(peers_python.absolute())
    peer = "benchmarks.peers.balancing_torchjd"
    return ours + [Contestant(f"torchjd: {way}", (python, "-m", peer, "--way", way)) for way in TORCHJD]


def main(
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write all measurements.")] = None,
    peers_python: Annotated[
        Path, typer.Option(help="Python interpreter with requirements-peers.txt installed.")
    ] = Path(".peers/bin/python"),
    rounds: Annotated[int, typer.Option(min=1, help="Segments of each contestant.")] = 9,
    only: Annotated[str, typer.Option(help="Run only ple, mmoe or torchjd. [all]")] = "",
    timeout_s: Annotated[float, typer.Option(min=1.0, help="Timeout of a start and of a segment, in seconds.")] = 300.0,
) -> None:
    """Measure all contestants in turn; print medians and ratios within rounds."""
    console = Console()
    try:
        with ExitStack() as running:
            chosen = [each for each in contestants(peers_python) if each.name.startswith(only)]
            sides = [running.enter_context(started(each, timeout_s)) for each in chosen]
            speeds = in_turn(sides, rounds, console)
            memory = {side.name: side.step_mib for side in sides}
    except ContestantError as error:
        raise SystemExit(f"error: {error}") from error
    shown = Table("", "samples/s", "time / plain", "MiB of a step", "memory / plain", title="A train step, batch 4096")
    rows = []
    for name, each in speeds.items():
        plain = PLAIN[name.partition(":")[0]]
        ratios = [theirs / mine for mine, theirs in zip(each, speeds[plain], strict=True)]
        ratio, held = statistics.median(ratios), memory[name] / memory[plain]
        row = {"side": name, "samples_per_s": statistics.median(each), "time": ratio, "least": min(ratios)}
        rows.append({**row, "greatest": max(ratios), "step_mib": memory[name], "memory": held})
        spread = f"{ratio:.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
        shown.add_row(name, f"{row['samples_per_s']:,.0f}", spread, f"{memory[name]:,.0f}", f"{held:.2f}")
    console.print(shown)
    if json_path is not None:
        write_json(json_path, {"benchmark": "balancing_cost", "summary": rows, "samples_per_s": speeds})


if __name__ == "__main__":
    typer.run(main)
