"""``ranker-train``: one file per command. A new one needs a line here; keep heavy imports inside functions."""

from typing import Annotated

import typer

from ranker.command_line import Commands, WithDefaults, debug
from ranker.prediction.command import predict
from training.cli.backtest import backtest
from training.cli.cluster import cluster
from training.cli.compare import compare
from training.cli.distill import distill
from training.cli.encode import encode
from training.cli.evaluate import evaluate
from training.cli.evaluate_policy import evaluate_policy
from training.cli.experiment import experiment
from training.cli.export import export
from training.cli.fit import fit
from training.cli.inspect import inspect
from training.cli.join import join
from training.cli.nightly import nightly
from training.cli.online import online
from training.cli.pareto import pareto
from training.cli.plan import plan
from training.cli.promote import promote
from training.cli.publish import publish
from training.cli.report import report
from training.cli.schema import schema
from training.cli.search import search
from training.cli.simulate import simulate
from training.cli.terminal import STOPPED

COMMANDS = (
    simulate,
    encode,
    fit,
    evaluate,
    predict,
    backtest,
    export,
    compare,
    pareto,
    search,
    join,
    distill,
    promote,
    experiment,
    evaluate_policy,
    publish,
    nightly,
    cluster,
    online,
    inspect,
    report,
    plan,
    schema,
)
"""In the order shown by ``--help``."""


class _Commands(Commands):
    stopped = STOPPED


app = typer.Typer(
    name="ranker-train",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train one ranking model for several objectives, measure it per objective, export it for `ranker-serve`.",
)


@app.callback()
def main(
    debug_errors: Annotated[
        bool, typer.Option("--debug", help="Show the stack trace of an error; so does RANKER_DEBUG=1.")
    ] = False,
) -> None:
    """Handle options given before the command."""
    debug(debug_errors)


for _command in COMMANDS:
    app.command(cls=WithDefaults)(_command)
