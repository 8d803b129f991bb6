"""``ranker-train online``: searches for better parameters of a fusion on live traffic."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def online(
    config: Annotated[Path, typer.Argument(help="YAML file: what is varied, how it is judged, when it ends.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the state, the page and the winner.")],
    once: Annotated[
        bool, typer.Option("--once", help="Take the steps that are due and end, for a scheduler such as cron.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print sets, shares, sizes and the models file's section; change nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an experiment in the models file that is not of this search.")
    ] = False,
) -> None:
    """Search for better parameters of a fusion on the users of a running service, in rounds of experiments.

    Run the same command again to go on. Exit status: 0 if the winner is better than today, or with --once while the
    search goes on; 3 if nothing is. See docs/experiments.md.
    """
    check_folder("--output", output)
    from training.config.online import load_online

    asked = load_online(config)
    with quiet_imports():
        from training.commands.online import online as command
        from training.online.state import NO_BETTER

    found = command(asked, output=output, once=once, dry_run=dry_run, replace=replace, progress=console)
    if found.outcome is not None and found.outcome.verdict == NO_BETTER:
        raise typer.Exit(REFUSED)
