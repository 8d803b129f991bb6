"""The console that commands print to."""

import os

from rich.console import Console

LOG_WIDTH = 160
"""Columns of what goes to a file or a log, where nobody would see which digits a narrow table had no room for."""


def console_for_commands() -> Console:
    """As wide as the terminal, or as ``COLUMNS`` says; without a terminal, wide enough for tables of metrics."""
    console = Console()
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = max(console.width, LOG_WIDTH)
    return console


console = console_for_commands()
STOPPED = "stopped; run the same command again to resume"
