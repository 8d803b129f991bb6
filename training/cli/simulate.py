"""``ranker-train simulate``: a synthetic impression log with known true utilities."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_folder


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the Parquet files.")],
    rows: Annotated[int, typer.Option(min=1, help="Impressions to simulate.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same log.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier simulation in the folder.")] = False,
) -> None:
    """Simulate an impression log with five partly conflicting objectives and a known true utility."""
    check_folder("--output", output)
    from training.display import Display
    from training.simulator import SimulatorConfig
    from training.simulator import simulate as draw

    with Display(console) as display:
        done = 0

        def progress(total: int) -> None:
            nonlocal done
            display.rows("simulate", total - done)
            done = total

        display.expect(rows)
        files = draw(SimulatorConfig(rows=rows, seed=seed), output, overwrite=overwrite, progress=progress)
    console.print(f"{rows:,} impressions in {len(files)} file(s) in {output}")
