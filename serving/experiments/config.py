"""Configuration of an A/B experiment: groups with traffic shares, their models and fusions, and the unit."""

import hashlib
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed
from serving.protocol.messages import FusionChoice

Named = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Names of models, groups and experiments. They become metric labels, where a leading ``_`` is reserved."""
SHARES_TOLERANCE = 2e-4
"""Tolerance for shares summing to 1: thirds are written as 0.3333."""


class GroupFusion(Closed):
    """A group's fusion, chosen as in a request."""

    name: str | None = Field(None, description="A fusion of the model, or a formula; default: `default`.")
    parameters: dict[str, float | dict[str, float]] = Field(
        default_factory=dict, description="Parameters by name: one number for all objectives, or one per objective."
    )
    rerank: bool | dict[str, bool | dict[str, Any]] | None = Field(
        None, description="false: no re-ranking. By step: false to leave it out, or parameters."
    )
    explore: bool | dict[str, Any] | None = Field(
        None, description="false: no exploration. An object: parameters of it."
    )


class Group(Closed):
    """A group: its share of the traffic, and its model and fusion."""

    share: float = Field(ge=0, le=1, description="Fraction of the covered units.")
    model: Named | None = Field(None, description="Name of a model; the default model if omitted.")
    fusion: GroupFusion | None = Field(None, description="A name, or a name and parameters; default: the model's.")

    @field_validator("fusion", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        """Accept a name alone for a fusion without parameters: ``fusion: bold``."""
        return {"name": value} if isinstance(value, str) else value

    @cached_property
    def choice(self) -> FusionChoice | None:
        """The fusion as a request would choose it."""
        fusion = self.fusion
        if fusion is None:
            return None
        return FusionChoice(
            name=fusion.name, parameters=dict(fusion.parameters), rerank=fusion.rerank, explore=fusion.explore
        )


class Experiment(Closed):
    """Users split into groups; exactly one of ``unit`` and ``header`` identifies the user."""

    name: Named = Field(description="Shown in answers; also the salt unless one is set.")
    unit: str | None = Field(None, min_length=1, description="Context column that identifies the user.")
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="Request header that identifies the user."
    )
    salt: str | None = Field(
        None, pattern=r"^[ -~]{1,100}$", description="Salt of the hash; a new one reshuffles users. Default: the name."
    )
    coverage: float = Field(1.0, ge=0, le=1, description="Fraction of users in the experiment.")
    groups: dict[Named, Group] = Field(min_length=1, description="Groups by name, in the order of their ranges.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.unit is None) == (self.header is None):
            raise ValueError("name exactly one of unit (a column of the context) and header (of the request)")
        total = sum(group.share for group in self.groups.values())
        if abs(total - 1) > SHARES_TOLERANCE:
            raise ValueError(
                f"the groups' shares must sum to 1, got {total:.6g}; use coverage to leave users out of the experiment"
            )
        return self

    @cached_property
    def revision(self) -> str:
        """Hash of the experiment's configuration, as 12 hexadecimal digits."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()
