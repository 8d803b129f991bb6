"""The config of ``ranker-train online``: what is varied on live traffic, how it is judged, and when it ends."""

import operator
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ranker.config.closed import Closed, ColumnName, Name
from ranker.config.file import read
from ranker.fusion import DEFAULT
from training.config.duration import Duration
from training.online_methods import ONLINE_METHODS, CrossEntropy, MethodOptions

if TYPE_CHECKING:
    MethodChoice: TypeAlias = MethodOptions
else:  # a union over the registry, so that a new entry needs no line here
    MethodChoice = Annotated[
        reduce(operator.or_, [ONLINE_METHODS[name].Options for name in sorted(ONLINE_METHODS)]),
        Field(discriminator="name"),
    ]

ExperimentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$")]
"""A prefix of the names of experiments, which have up to 64 characters in the service."""
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
MetricText = Annotated[str, Field(min_length=1, max_length=1000)]
REWARD = "reward"
"""Name of the reward among the metrics."""


class Guardrail(Closed):
    """A metric that no set may harm."""

    metric: MetricText = Field(description="A metric, as `reward`.")
    better: Literal["more", "less"] = Field("more", description="Whether more or less of it is better.")
    most_loss: float = Field(
        0.0, ge=0, lt=1, description="Accepted loss relative to control; 0.02: the guardrail breaks beyond 2 % worse."
    )

    @model_validator(mode="before")
    @classmethod
    def _metric_alone(cls, data: Any) -> Any:
        """Accept a metric alone: ``stay: stay / users``."""
        return {"metric": data} if isinstance(data, str) else data


class Enough(Closed):
    """When enough was seen: all of the counts that are set, or the period."""

    units: int | None = Field(None, ge=100, description="Units, such as users, seen in all groups together.")
    requests: int | None = Field(None, ge=100, description="Requests seen in all groups together.")
    period: Duration | None = Field(None, description="Longest time, such as `24h`; it ends a round in any case.")

    @model_validator(mode="after")
    def _some_end(self) -> Self:
        if self.units is None and self.requests is None and self.period is None:
            raise ValueError("set units, requests or period; without one it would never end")
        return self


class Confirmation(Enough):
    """The last round: the winner against control, with fresh users."""

    share: float = Field(0.5, gt=0, lt=1, description="The winner's share of the covered users; control has the rest.")


class Budget(Closed):
    """Most that the search may spend before the confirmation."""

    rounds: int | None = Field(10, ge=1, le=999, description="Rounds; null: no limit.")
    requests: int | None = Field(None, ge=1, description="Requests seen in all rounds together.")
    period: Duration | None = Field(None, description="Time since the first round began.")

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.rounds is None and self.requests is None and self.period is None:
            raise ValueError("set rounds, requests or period; a search that does not converge would never end")
        return self


class Power(Closed):
    """What ``--dry-run`` computes the size of rounds for."""

    gain: float = Field(0.02, gt=0, description="Gain relative to control that a round should show.")
    chance: float = Field(0.8, gt=0.5, lt=1, description="Probability of showing it.")


class ServiceOptions(Closed):
    """The running service, and how it identifies users."""

    models: Path = Field(description="The service's models file; only its section `experiment` is changed.")
    urls: tuple[str, ...] = Field(min_length=1, description="Addresses of all services that read the models file.")
    admin_key_env: str | None = Field(None, min_length=1, description="Environment variable with an admin key.")
    admin_key_file: Path | None = Field(None, description="File with an admin key in its first line.")
    model: ModelName | None = Field(None, description="Name of the model in the service; by default its default model.")
    unit: str | None = Field(None, min_length=1, description="Context column that identifies the user.")
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="Request header that identifies the user."
    )
    coverage: float = Field(1.0, gt=0, le=1, description="Fraction of users in the search; the others see no change.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.unit is None) == (self.header is None):
            raise ValueError("name exactly one of unit (a column of the context) and header (of the request)")
        if (self.admin_key_env is None) == (self.admin_key_file is None):
            raise ValueError("name exactly one of admin_key_env and admin_key_file, where the admin key is found")
        return self


class Logs(Closed):
    """Where exposures and events are read."""

    exposures: Path = Field(description="Folder of the service's exposure log: its setting `exposures`.")
    events: tuple[Path, ...] = Field(min_length=1, description="Files, folders and globs of events.")
    within: Duration = Field(
        timedelta(minutes=30), description="Time after an exposure in which its events count; younger exposures wait."
    )
    unit_salt_env: str | None = Field(
        None,
        min_length=1,
        description="Environment variable with the salt of the log's hashed units, for events that name a user only.",
    )


class Online(Closed):
    """A search for better parameters of a fusion on live traffic."""

    name: ExperimentName = Field(description="Begins the names of its experiments: NAME-g001, NAME-g002, NAME-confirm.")
    artifact: Path = Field(description="The served artifact, or a folder of versions (uses the latest).")
    fusion: str = Field(DEFAULT, description="The artifact's fusion to start from; it is control.")
    vary: tuple[ColumnName, ...] = Field(
        (), description="Parameters, as `search --vary`: `power`, `power.like`, `power.like=0:3`, `rerank.STEP.lambda`."
    )
    trust: float = Field(0.5, gt=0, description="Search radius relative to the parameters of today; 1 means 0 to 2x.")
    service: ServiceOptions
    logs: Logs
    reward: MetricText = Field(
        description="What is maximised: NUMERATOR / DENOMINATOR, as a metric of `ranker-train experiment`, such as "
        "`(click + 2*like) / requests` or `watch.value / users`."
    )
    guardrails: dict[Name, Guardrail] = Field(default_factory=dict, description="Metrics that no set may harm.")
    method: MethodChoice = Field(default_factory=CrossEntropy.Options, description="Who chooses the sets.")
    control: float = Field(0.2, gt=0, lt=1, description="Control's share of the covered users.")
    round: Enough = Field(description="Length of a round.")
    check_every: Duration = Field(timedelta(minutes=10), description="Time between checks of guardrails and counts.")
    confirm: Confirmation = Field(description="Length of the confirmation, and the winner's share.")
    budget: Budget = Budget()
    level: float = Field(
        0.05, gt=0, lt=0.5, description="Probability of errors: of stopping a harmless set, of confirming no gain."
    )
    power: Power = Power()
    seed: int = Field(0, ge=0, description="The same seed and the same results give the same sets.")
    winner: Name | None = Field(None, description="Name of the winner as a fusion; by default that of the search.")
    export: Path | None = Field(
        None, description="Folder of versions that gets the artifact with the winner as a further fusion."
    )

    @model_validator(mode="before")
    @classmethod
    def _words(cls, data: Any) -> Any:
        """Accept a method's name alone: ``method: thompson``."""
        if isinstance(data, dict) and isinstance(data.get("method"), str):
            return {**data, "method": {"name": data["method"]}}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if REWARD in self.guardrails:
            raise ValueError(f"guardrails.{REWARD}: is the name of the reward; name the guardrail otherwise")
        least = (1 - self.control) / self.method.sets
        if least < LEAST_SHARE:
            raise ValueError(
                f"control: leaves each of {self.method.sets} sets {least:.3g} of the users, below {LEAST_SHARE:g}; "
                "use fewer sets or a smaller control"
            )
        return self

    @property
    def winner_name(self) -> str:
        """Name of the winner as a fusion."""
        return self.winner or "".join(char if char.isalnum() else "_" for char in self.name)

    @property
    def metrics(self) -> dict[str, str]:
        """Formulas of the reward and the guardrails by name."""
        return {REWARD: self.reward, **{name: one.metric for name, one in self.guardrails.items()}}


LEAST_SHARE = 0.005
"""Smallest share of a set: with less, hashing and luck decide on its gain."""


def load_online(path: Path) -> Online:
    """Read a config. Raises ``ConfigError`` naming each mistake by its line."""
    return read(path, Online)
