"""How many units a round needs to show a gain, and how long they take."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy.stats import norm

from training.config.online import REWARD, Online, Power
from training.experiments.statistics import estimates
from training.online.observed import Observed
from training.online.state import CONTROL


@dataclass(frozen=True)
class Traffic:
    """The reward of today: its value, its variance times the number of units, and how many units came in a time."""

    reward: float
    variance: float
    units: int
    requests: int
    period: timedelta

    @classmethod
    def of(cls, observed: Observed, period: timedelta) -> "Traffic | None":
        """From all units as one group, ``control``; ``None`` with too few of them."""
        [found], _ = estimates(observed.sums, REWARD)
        if found.units < 2 or not np.isfinite(found.value) or not found.variance > 0:
            return None
        return cls(found.value, found.variance * found.units, found.units, observed.total_requests, period)

    def hours(self, units: int) -> float:
        """Hours until this many units were seen, if they come as evenly as before."""
        return units / self.units * self.period.total_seconds() / 3600


def units_needed(traffic: Traffic, power: Power, share: float, control: float, level: float) -> int:
    """Units of all groups for a test of a set against control to show the gain with the wanted probability.

    ``n = variance (1 / share + 1 / control) ((z_level/2 + z_chance) / gain)^2``, with the gain in units of the reward.
    """
    effect = power.gain * abs(traffic.reward)
    if effect == 0:
        return 0
    quantiles = float(norm.isf(level / 2) + norm.ppf(power.chance))
    return int(np.ceil(traffic.variance * (1 / share + 1 / control) * (quantiles / effect) ** 2))


def size_lines(config: Online, traffic: Traffic | None) -> list[str]:
    """What a round and the confirmation need, in words."""
    if traffic is None:
        return ["the logs hold too little to say how many units a round needs"]
    power, lines = config.power, []
    rounds = (("a round", (1 - config.control) / config.method.sets, config.control),)
    confirm = (("the confirmation", config.confirm.share, 1 - config.confirm.share),)
    for what, share, control in (*rounds, *confirm):
        units = units_needed(traffic, power, share, control, config.level)
        lines.append(
            f"{what} shows a gain of {power.gain:.1%} in one set with a probability of {power.chance:.0%} from "
            f"{units:,} units in all groups on, about {traffic.hours(units) / config.service.coverage:,.1f} hours"
        )
    lines.append(
        f"today's reward is {traffic.reward:.5g}, by {traffic.units:,} units and {traffic.requests:,} requests of "
        f"{traffic.period.total_seconds() / 3600:,.1f} hours ({CONTROL} is what is served now)"
    )
    return lines
