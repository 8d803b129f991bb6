"""The scale that a plan is for, the machines it runs on, and prices."""

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ranker.config.closed import Closed

DAY = 86_400.0
"""Seconds of a day."""
PRECISIONS = {"float32": 4.0, "float16": 2.0, "int8": 1.0}
"""Bytes of a number by the precision of an artifact's tables; int8 has 4 more a row, for its scale."""
MOST, LEAST = 1e15, 1e-3
"""Between these no number of a plan overflows."""


class PlanError(ValueError):
    """Inputs that no plan can be made of."""


class PlanInputs(Closed):
    """What grows, how training and serving are set up, the machines, and prices."""

    impressions_per_day: float = Field(
        1e9, ge=1, le=MOST, description="Items shown to users in a day: rows of the log."
    )
    items: float = Field(1e8, ge=1, le=MOST, description="Items with a row of the embedding table.")
    users: float = Field(5e8, ge=1, le=MOST, description="Users with a row of the embedding table.")
    peak_rps: float = Field(2e5, ge=LEAST, le=MOST, description="Requests a second at the busiest time.")
    candidates: float = Field(500, ge=1, le=1e9, description="Candidates of a request.")
    shown: float = Field(10, ge=1, le=1e9, description="Items of an answer, each of which is logged.")
    scored_per_day: float | None = Field(
        None, ge=0, le=MOST, description="Rows that `predict` scores in a day; by default as many as impressions."
    )
    width: float = Field(16, ge=1, le=1e6, description="Floats of an embedding.")
    moments: float = Field(
        1, ge=0, le=4, description="Moments that the optimiser keeps of each float: Adagrad 1, Adam 2."
    )
    table_precision: Literal["float32", "float16", "int8"] = Field(
        "float32", description="Precision of the artifact's tables; training has float32."
    )
    epochs: float = Field(1, ge=LEAST, le=1000, description="How often training reads each row of a day.")
    train_days: float = Field(1, ge=LEAST, le=3650, description="Days of the log that a night encodes and trains on.")
    batch: float = Field(65_536, ge=1, le=1e9, description="Rows of a step, over all workers.")
    workers: float | None = Field(
        None,
        ge=1,
        le=1e6,
        multiple_of=1,
        description="Training workers, one core each; by default as many as the window needs.",
    )
    window_hours: float = Field(
        6, ge=LEAST, le=24, description="Hours in which join, encoding, training and scoring end."
    )
    days_kept: float = Field(
        30, ge=LEAST, le=36_500, description="Days for which exposures and the joined log are kept."
    )
    versions_kept: float = Field(7, ge=1, le=10_000, description="Artifacts kept in the store.")
    replicas: float = Field(
        1, ge=1, le=1000, description="Copies of the service, such as in several zones, each for the whole peak."
    )
    deadline_ms: float = Field(100, ge=LEAST, le=1e6, description="Longest that the computing of one request may take.")
    headroom: float = Field(
        0.6, ge=LEAST, le=1, description="Share of a machine's cores, memory and network that is used."
    )
    machine_cores: float = Field(16, ge=1, le=4096, description="Cores of a machine.")
    machine_memory_gb: float = Field(128, ge=LEAST, le=1e6, description="Memory of a machine, in GB (1e9 bytes).")
    machine_network_gbit: float = Field(10, ge=LEAST, le=1e5, description="Network of a machine, in Gbit a second.")
    machine_disk_gb: float = Field(2000, ge=LEAST, le=1e9, description="Disk that holds a night's rows, in GB.")
    core_hour: float = Field(0.05, ge=0, le=1e6, description="Price of a core for an hour, with its memory.")
    gb_month: float = Field(0.023, ge=0, le=1e6, description="Price of a GB in the store for 30 days.")
    gb_egress: float = Field(0.01, ge=0, le=1e6, description="Price of a GB that leaves a machine for another one.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.candidates > self.items:
            raise ValueError(f"candidates: {self.candidates:g} of a request are more than the {self.items:g} items")
        if self.shown > self.candidates:
            raise ValueError(
                f"shown: {self.shown:g} items of an answer are more than its {self.candidates:g} candidates"
            )
        mean = self.impressions_per_day / self.shown / DAY
        if self.peak_rps < mean:
            raise ValueError(
                f"peak_rps: {self.peak_rps:g} is below the mean of {mean:g} that {self.impressions_per_day:g} "
                f"impressions a day are, at {self.shown:g} a request"
            )
        return self

    @property
    def rows_scored(self) -> float:
        """Rows that ``predict`` scores in a day."""
        return self.impressions_per_day if self.scored_per_day is None else self.scored_per_day

    @property
    def mean_rps(self) -> float:
        """Requests a second on average over the day."""
        return self.impressions_per_day / self.shown / DAY

    @property
    def table_rows(self) -> float:
        """Rows of the tables of users and items."""
        return self.users + self.items

    @property
    def memory(self) -> float:
        """Bytes of a machine's memory that are used."""
        return self.machine_memory_gb * 1e9 * self.headroom

    @property
    def network(self) -> float:
        """Bytes a second of a machine's network that are used."""
        return self.machine_network_gbit / 8 * 1e9 * self.headroom

    @property
    def window(self) -> float:
        """Seconds of the nightly window."""
        return self.window_hours * 3600


def checked_inputs(given: dict[str, Any]) -> PlanInputs:
    """The inputs of options by their names. Raises ``PlanError`` naming the option and its value."""
    try:
        return PlanInputs.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first: Any = error.errors()[0]
        if not first["loc"]:
            name, _, text = str(first["ctx"]["error"]).partition(": ")
            raise PlanError(f"{option(name)}: {text}") from None
        name = str(first["loc"][0])
        raise PlanError(f"{option(name)} {first['input']!s:.40}: {first['msg'].lower()}") from None


def option(name: str) -> str:
    """An input's option on the command line."""
    return f"--{name.replace('_', '-')}"
