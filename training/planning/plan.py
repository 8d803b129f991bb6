"""A plan: all stages with their prices, which distribution fits, and what limits hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.planning.inputs import PlanInputs, option
from training.planning.limits import LIMITS, used
from training.planning.stages import STAGES, Needs
from training.planning.training_time import TrainingTime, training_time
from training.planning.unit_costs import UnitCosts

MONTH_DAYS = 30.0


@dataclass(frozen=True)
class Priced:
    """A stage's needs, machines, and money a day."""

    needs: Needs
    machines: int
    compute_money: float
    storage_money: float
    network_money: float

    @property
    def money(self) -> float:
        """All of it."""
        return self.compute_money + self.storage_money + self.network_money


@dataclass(frozen=True)
class Plan:
    """What a day needs and costs.

    Attributes
    ----------
    stages
        By name, in the order of a table.
    training
        Workers, servers and times of training.
    limits
        The used share of each limit; above 1 it does not fit.
    """

    inputs: PlanInputs
    costs: UnitCosts
    stages: Mapping[str, Priced]
    training: TrainingTime
    limits: Mapping[str, float]

    @property
    def money(self) -> float:
        """Money a day."""
        return sum(stage.money for stage in self.stages.values())

    @property
    def exceeded(self) -> list[str]:
        """Names of the limits that do not hold, the worst first."""
        return sorted((name for name, share in self.limits.items() if share > 1), key=lambda name: -self.limits[name])

    def assumptions(self) -> list[str]:
        """What the numbers rest on, each with its source."""
        return assumptions(self.inputs, self.costs)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: inputs, stages with formulas, training, limits, assumptions, money a day."""
        stages = {
            name: {**asdict(stage.needs), "machines": stage.machines,
                   "money": {"compute": stage.compute_money, "storage": stage.storage_money,
                             "network": stage.network_money, "total": stage.money}}
            for name, stage in self.stages.items()
        }  # fmt: skip
        limits = {name: {"used": share, "text": LIMITS[name].text} for name, share in self.limits.items()}
        return {
            "inputs": self.inputs.model_dump(mode="json"),
            "costs_measured": self.costs.measured.isoformat(),
            "stages": stages,
            "training": asdict(self.training),
            "limits": limits,
            "exceeded": self.exceeded,
            "assumptions": self.assumptions(),
            "money_per_day": self.money,
        }


def plan(inputs: PlanInputs, costs: UnitCosts) -> Plan:
    """The plan of inputs and unit costs."""
    stages = {name: _priced(needs(inputs, costs), inputs) for name, needs in STAGES.items()}
    return Plan(inputs, costs, stages, training_time(inputs, costs), used(inputs, costs))


def _priced(needs: Needs, inputs: PlanInputs) -> Priced:
    by_cores = -(-needs.cores // inputs.machine_cores)
    return Priced(
        needs=needs,
        machines=int(by_cores),
        compute_money=needs.cores * needs.hours * inputs.core_hour,
        storage_money=needs.disk / 1e9 * inputs.gb_month / MONTH_DAYS,
        network_money=needs.network / 1e9 * inputs.gb_egress,
    )


def assumptions(inputs: PlanInputs, costs: UnitCosts) -> list[str]:
    """What the numbers rest on, each with its source."""
    machine, model = costs.machine, costs.model
    return [
        f"Unit costs: measured {costs.measured} on {machine.cores} cores ({machine.processor}) with {model.config}, "
        f"medians of {model.rounds} rounds; another model needs its own (benchmarks.unit_costs).",
        f"Requests: {inputs.impressions_per_day:g} impressions / {inputs.shown:g} an answer = "
        f"{inputs.mean_rps:,.0f} a second on average; the service is held for the peak of {inputs.peak_rps:,.0f}, "
        f"{inputs.peak_rps / inputs.mean_rps:,.1f} times that, all day: no autoscaling.",
        "Scaling: processor time, bytes and the memory of ids grow in proportion; memory of join, predict and encoded "
        "rows is bounded, so it stays as measured. benchmarks.plan_check compares this with a real run.",
        f"Night: join, encode, train and score may take {inputs.window_hours:g} hours each, as they overlap from day "
        "to day. Encoding and scoring divide among processes; the pass that fits the encoder, and the join, do not.",
        f"Tables: only those of users and items, {inputs.width:g} floats wide, float32 with {inputs.moments:g} "
        f"moment(s) in training; a row of the log reads {model.reads:.1f} rows, none of them twice in a step.",
        "All-reduce: a ring, 2 (n - 1) / n of the dense bytes a worker and step; rows of tables are gathered by every "
        "worker with 8 bytes of index each; neither overlaps with computing.",
        "Servers: the processor time of reading and moving rows was measured with one server and one worker over "
        "loopback.",
        f"Machines: {inputs.machine_cores:g} cores, {inputs.machine_memory_gb:g} GB, "
        f"{inputs.machine_network_gbit:g} Gbit/s, of which {inputs.headroom:.0%} are used ({option('headroom')}). "
        "A core is as fast as the measured one.",
        f"Prices: {inputs.core_hour:g} a core hour, {inputs.gb_month:g} a GB month, {inputs.gb_egress:g} a GB between "
        "machines. The defaults are round figures and no offer: give your own.",
        "Not counted: finding the candidates, a feature store, replicas in other regions, failures and people.",
    ]
