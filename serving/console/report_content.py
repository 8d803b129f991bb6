"""What the console shows of a report of ``ranker-train experiment --json``; other parts of it are ignored."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Shown(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class Group(Shown):
    """Units and requests of a group; the control has no verdict."""

    units: int
    requests: int
    state: str | None = None
    why: list[str] = []


class Comparison(Shown):
    """A metric's difference to the control; ``None`` is what is undefined or infinite."""

    metric: str
    group: str
    formula: str
    value: float | None
    control_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_corrected: float | None
    outcome: str
    undefined: str | None


class Guardrail(Shown):
    """A guardrail's state in a group."""

    guardrail: str
    group: str
    relative: bool
    value: float | None
    low: float | None
    high: float | None
    state: str


class Report(Shown):
    """The verdict and what it rests on; the differences day by day are on the report's own page."""

    experiment: str
    state: str
    why: list[str]
    control: str
    first: datetime
    last: datetime
    method: str
    level: float
    correction: str
    groups: dict[str, Group]
    comparisons: list[Comparison]
    guardrails: list[Guardrail]
    notes: list[str]
