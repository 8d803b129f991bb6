"""A plan as tables for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from training.planning.growth import Growth
from training.planning.inputs import PlanInputs
from training.planning.limits import LIMITS
from training.planning.plan import Plan

COLUMNS = ("stage", "CPU hours", "cores", "machines", "memory", "network a day", "disk", "money a day")


def stage_table(plan: Plan) -> Table:
    """One line a stage, and their sum; memory is that of one process or machine."""
    table = Table(COLUMNS[0], title="a day")
    for column in COLUMNS[1:]:
        table.add_column(column, justify="right")
    for name, stage in plan.stages.items():
        needs = stage.needs
        table.add_row(
            name, number(needs.cpu_s / 3600), _cores(needs.cores, needs.hours), str(stage.machines or "-"),
            size(needs.memory), size(needs.network), size(needs.disk), number(stage.money),
        )  # fmt: skip
    needed = [stage.needs for stage in plan.stages.values()]
    hours, network, disk = (
        sum(values) for values in zip(*((n.cpu_s / 3600, n.network, n.disk) for n in needed), strict=True)
    )
    table.add_section()
    table.add_row("all", number(hours), "", "", "", size(network), size(disk), number(plan.money))
    return table


def training_line(plan: Plan) -> str:
    """Which distribution fits and why, with its workers and times."""
    time = plan.training
    servers = f", {_count(time.servers, 'server')}" if time.servers else ""
    compute, wire = (f"{number(seconds * 1e3)} ms" for seconds in (time.compute_s, time.wire_s))
    return (
        f"training: distribute: {time.distribute} ({time.why}); {_count(time.workers, 'worker')}{servers}; "
        f"{number(time.steps)} steps of {compute} on a core and {wire} on the network; "
        f"{number(time.seconds / 3600)} hours"
    )


def limit_lines(plan: Plan) -> list[str]:
    """One line for each limit that does not hold, or one that says that all do."""
    if not plan.exceeded:
        nearest = max(plan.limits, key=lambda name: plan.limits[name])
        return [f"all limits hold; nearest: {nearest}, {plan.limits[nearest]:.0%} of it is used"]
    return [
        f"does not fit: {name}, {number(plan.limits[name])} times its limit: {LIMITS[name].text}; {LIMITS[name].remedy}"
        for name in plan.exceeded
    ]


def growth_table(inputs: PlanInputs, growths: Sequence[Growth]) -> Table:
    """What breaks first as each input grows, all others as they are."""
    table = Table("grows tenfold", "from", "breaks first", "at", "then", "money", "distribute")
    for each in growths:
        then = ", ".join(f"{name} {_at(factor)}" for name, factor in each.others.items())
        first, at = each.first or "nothing more", "" if each.at is None else _at(each.at)
        start = f"{getattr(inputs, each.input):g}"
        table.add_row(each.input, start, first, at, then, f"x{each.money:.2f}", each.distribute)
    table.caption = "factors at which limits are reached; below x1: not met at the plan's own number"
    return table


def formula_table(plan: Plan) -> Table:
    """How each number comes about."""
    table = Table("stage", "number", "formula")
    for name, stage in plan.stages.items():
        for quantity, text in stage.needs.formulas.items():
            table.add_row(name, quantity, text)
    return table


def number(value: float) -> str:
    """A number with three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def size(value: float) -> str:
    """Bytes in a fitting unit of 1000."""
    for unit, scale in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= scale:
            return f"{number(value / scale)} {unit}"
    return f"{value / 1e6:.3g} MB" if value else "-"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number > 1 else ''}"


def _cores(cores: float, hours: float) -> str:
    return f"{number(cores)} x {hours:.3g} h" if cores else "-"


def _at(factor: float) -> str:
    return f"x{factor:.2g}"
