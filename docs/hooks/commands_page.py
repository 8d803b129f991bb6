"""The page of the commands, from the help that Typer has of them."""

from typing import Any

import typer
from json_schema import cell
from typer.main import get_command

INTRODUCTION = """# Commands

From the help of the commands themselves (`--help`). Exit statuses are in
[the config](../config.md#errors-and-exit-statuses).
"""


def page(applications: dict[str, typer.Typer]) -> str:
    """Every command of each program, with its arguments and options."""
    parts = [INTRODUCTION]
    for program, application in applications.items():
        command: Any = get_command(application)
        parts += _command(program, command, "##")
        for name, sub in getattr(command, "commands", {}).items():
            parts += _command(f"{program} {name}", sub, "###")
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any, heading: str) -> list[str]:
    context = command.context_class(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            row = f"| `{cell(record[0])}` | {cell(record[1])} |"
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or "", []).append(row)
    parts = [f"{heading} `{name}`", f"```\n{name} {usage}\n```", command.help or ""]
    for title, rows in panels.items():
        parts += [f"**{title}**"] if title else []
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    return parts
