"""An experiment: groups of users with shares, what each group is ranked by, and what makes a user."""

import hashlib
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed
from serving.protocol.messages import FusionChoice

Named = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Names of models, groups and experiments: they become labels of metrics, which keep a leading ``_`` for themselves."""
TOGETHER = 2e-4
"""Tolerance for shares summing to 1: thirds are written as 0.3333."""


class GroupFusion(Closed):
    """The fusion that ranks for a group, as a request would name it."""

    name: str | None = Field(None, description="One of the model's fusions, or a formula; by default `default`.")
    parameters: dict[str, float | dict[str, float]] = Field(
        default_factory=dict, description="By name: one number for all objectives, or numbers by objective."
    )


class Group(Closed):
    """A group: how many belong to it, and what ranks for them."""

    share: float = Field(ge=0, le=1, description="Share of those who take part.")
    model: Named | None = Field(None, description="By default the default model.")
    fusion: GroupFusion | None = Field(None, description="A name, or a name and parameters; by default the model's.")

    @field_validator("fusion", mode="before")
    @classmethod
    def _word(cls, given: Any) -> Any:
        """Take a bare word for a fusion without parameters: ``fusion: bold``."""
        return {"name": given} if isinstance(given, str) else given

    @cached_property
    def choice(self) -> FusionChoice | None:
        """The fusion as a request would choose it."""
        fusion = self.fusion
        return None if fusion is None else FusionChoice(name=fusion.name, parameters=dict(fusion.parameters))


class Experiment(Closed):
    """Users split into groups; exactly one of ``unit`` and ``header`` says what a user is."""

    name: Named = Field(description="Stands in answers, and is the salt unless there is one.")
    unit: str | None = Field(None, min_length=1, description="Column of the context whose value names the user.")
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="Header of the request whose value names the user."
    )
    salt: str | None = Field(
        None, pattern=r"^[ -~]{1,100}$", description="Another one shuffles the users; by default the name."
    )
    coverage: float = Field(1.0, ge=0, le=1, description="Share of users who take part.")
    groups: dict[Named, Group] = Field(min_length=1, description="By name, in the order of their ranges.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.unit is None) == (self.header is None):
            raise ValueError("name exactly one of unit (a column of the context) and header (of the request)")
        together = sum(group.share for group in self.groups.values())
        if abs(together - 1) > TOGETHER:
            raise ValueError(
                f"the groups' shares must sum to 1, got {together:.6g}; coverage leaves users out of the experiment"
            )
        return self

    @cached_property
    def revision(self) -> str:
        """Twelve digits that differ where anything of two experiments does."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()
