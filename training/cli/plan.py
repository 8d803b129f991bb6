"""``ranker-train plan``: machines, memory, network, disk and money of a day at a given scale."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from training.cli.terminal import console
from training.commands.outputs import check_file
from training.planning.inputs import PlanInputs, checked_inputs, option


def plan(
    costs: Annotated[
        Path | None,
        typer.Option(help="Unit costs of benchmarks.unit_costs; by default those that come with the package."),
    ] = None,
    growth: Annotated[
        bool, typer.Option("--growth", help="Also show what breaks first as each number grows tenfold.")
    ] = False,
    formulas: Annotated[bool, typer.Option("--formulas", help="Also show how each number comes about.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it to this file.")] = None,
    **options: str | None,
) -> None:
    """Compute what a day of the whole loop needs and costs at a given scale, from measured unit costs.

    It says machines, memory, network, disk and money by stage, and which `training.distribute` fits. See docs/scale.md.
    """
    if json_file is not None:
        check_file("--json", json_file)
    inputs = checked_inputs(options)
    from ranker.files import replace_file
    from training.display import whole
    from training.planning import growths, plan, shipped_costs
    from training.planning.tables import formula_table, growth_table, limit_lines, stage_table, training_line
    from training.planning.unit_costs import read_costs

    unit_costs = shipped_costs() if costs is None else read_costs(costs)
    made = plan(inputs, unit_costs)
    grown = growths(inputs, unit_costs) if growth or json_file is not None else []
    console.print(whole(stage_table(made)))
    console.print(training_line(made), markup=False, highlight=False)
    for line in limit_lines(made):
        console.print(line, markup=False, highlight=False)
    if growth:
        console.print(whole(growth_table(inputs, grown)))
    if formulas:
        console.print(formula_table(made))
    console.print("assumptions:")
    for text in made.assumptions():
        console.print(f"- {text}", markup=False, highlight=False)
    if json_file is not None:
        content = {**made.to_dict(), "growth": [vars(each) for each in grown]}
        replace_file(json_file, (json.dumps(content, indent=2) + "\n").encode())


def _options() -> Iterator[inspect.Parameter]:
    """Yield an option for each input; values stay text, which ``PlanInputs`` checks."""
    for name, field in PlanInputs.model_fields.items():
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        default: Any = typer.Option(
            None if field.default is None else _plain(field.default),
            option(name),
            help=field.description,
            metavar=f"[{'|'.join(choices)}]" if choices else "NUMBER",
        )
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=str | None)


def _plain(default: Any) -> str:
    return f"{default:g}" if isinstance(default, int | float) else str(default)


_signature = inspect.signature(plan)
_own = [parameter for parameter in _signature.parameters.values() if parameter.kind != inspect.Parameter.VAR_KEYWORD]
plan.__signature__ = _signature.replace(  # type: ignore[attr-defined]
    parameters=[
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in _own),
        *_options(),
    ]
)
