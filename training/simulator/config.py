"""Config of the simulator: sizes, dates and rates."""

import datetime
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ranker.config.closed import Closed

Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class SimulatorConfig(Closed):
    """Sizes, dates and rates of one simulated log; frozen and closed.

    The world (users, items, their true behaviour) depends on every field except ``rows`` and ``start``, so a longer log
    with the same seed has the same users and items.
    Raises pydantic's ``ValidationError`` (a ``ValueError``) for a value out of range or an unknown key.
    """

    rows: int = Field(default=1_000_000, ge=1, description="impressions in the log")
    seed: int = Field(default=0, ge=0, description="the same seed and config give the same log")
    users: int = Field(default=20_000, ge=1, le=2**31 - 1, description="users, with ids from 0")
    items: int = Field(default=5_000, ge=2, le=2**31 - 1, description="items, with ids from 0")
    authors: int = Field(default=800, ge=1, description="authors, with unequal numbers of items")
    days: int = Field(default=14, ge=1, le=3650, description="days that the log spans")
    start: datetime.date = Field(default=datetime.date(2025, 1, 6), description="first day of the log, UTC")
    candidates_per_session: int = Field(default=20, ge=1, le=1000, description="items retrieved for a session")
    shown_per_session: int = Field(default=10, ge=1, le=1000, description="of these, the items shown")
    history_length: int = Field(default=20, ge=1, le=1000, description="most recent clicks kept per user")
    position_bias: float = Field(
        default=0.3, ge=0.0, le=5.0, description="position k is examined with probability k ** -position_bias"
    )
    policy_noise: float = Field(default=1.0, ge=0.0, le=100.0, description="noise of the logging policy's scores")
    policy_skill: float = Field(
        default=0.6, ge=0.0, le=100.0, description="weight of the user's true click logit in the policy's scores"
    )
    policy_popularity: float = Field(
        default=0.5, ge=0.0, le=100.0, description="weight of the log of an item's popularity in the policy's scores"
    )
    missing_age: float = Field(default=0.08, ge=0.0, le=1.0, description="fraction of users without a known age")
    click_rate: Rate = Field(default=0.35, description="clicks per impression")
    long_view_rate: Rate = Field(default=0.20, description="long views per impression")
    like_rate: Rate = Field(default=0.03, description="likes per impression")
    share_rate: Rate = Field(default=0.01, description="shares per impression")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.shown_per_session > self.candidates_per_session:
            raise ValueError(
                f"shown_per_session must be <= candidates_per_session = {self.candidates_per_session}, "
                f"got {self.shown_per_session}"
            )
        if self.items < 2 * self.candidates_per_session:
            raise ValueError(
                f"items must be >= 2 * candidates_per_session = {2 * self.candidates_per_session}, got {self.items}"
            )
        # Above 0.9 of the examined impressions, users could no longer differ in their click rates.
        most = 0.9 * float(self.examination(self.shown_per_session).mean())
        if self.click_rate > most:
            raise ValueError(
                f"click_rate must be <= {most:.3f}, 0.9 of the fraction of impressions that position_bias = "
                f"{self.position_bias} leaves examined, got {self.click_rate}"
            )
        for name in ("long_view_rate", "like_rate", "share_rate"):
            rate = getattr(self, name)
            if rate > 0.9 * self.click_rate:
                raise ValueError(
                    f"{name} must be <= 0.9 * click_rate = {0.9 * self.click_rate:.3f} (it needs a click), got {rate}"
                )
        if (datetime.date.max - self.start).days < self.days:
            raise ValueError(f"start must leave {self.days} days before the end of the year 9999, got {self.start}")
        return self

    def examination(self, positions: int) -> npt.NDArray[np.float64]:
        """Probability [positions] that the item at positions 1, 2, ... is examined: k ** -position_bias.

        Examination hypothesis of Craswell et al. 2008: a click needs examination and attraction, independently.
        """
        return np.arange(1, positions + 1, dtype=np.float64) ** -self.position_bias
