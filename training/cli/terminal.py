"""The console that commands print to."""

from rich.console import Console

console = Console()
STOPPED = "stopped; run the same command again to resume"
