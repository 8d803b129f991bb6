"""How a search ends: the gain of the confirmation, or that nothing is better than today."""

from training.config.online import REWARD, Online
from training.online.served import WINNER
from training.online.state import BETTER, NO_BETTER, Gain, Outcome, Round


def verdict(config: Online, one: Round) -> Outcome:
    """The outcome of a measured confirmation. The gain is that of fresh users, and not the one that was chosen by."""
    assert one.measured is not None
    [winner] = one.sets
    gains = {name: by_set[WINNER] for name, by_set in one.measured.gains.items()}
    broken = [name for name in config.guardrails if gains[name].broken]
    if winner.stopped is not None:
        broken = [winner.stopped.guardrail]
    reward = gains[REWARD]
    if broken:
        verdict, why = NO_BETTER, f"the winner breaks the guardrail {' and '.join(broken)}"
    elif reward.difference_low is None:
        verdict, why = NO_BETTER, f"the gain is not known: {reward.undefined}"
    elif reward.difference_low <= 0:
        verdict, why = NO_BETTER, f"the confirmation shows no gain beyond noise: {shown(reward)}"
    else:
        verdict, why = BETTER, f"the confirmed gain is {shown(reward)}"
    return Outcome(
        verdict=verdict, why=why, ended_search=one.why, point=winner.point, values=winner.values, gains=gains
    )


def nothing(why: str, ended: str) -> Outcome:
    """The outcome without a confirmation."""
    return Outcome(verdict=NO_BETTER, why=why, ended_search=ended, point=None, values=None)


def shown(gain: Gain) -> str:
    """A gain in words: ``+3.10% [+1.20%, +5.00%]``, or in the metric's unit where control has no value above 0."""
    if gain.relative is None:
        if gain.difference is None or gain.difference_low is None:
            return "not defined"
        return f"{gain.difference:+.4g} [{gain.difference_low:+.4g}, {gain.difference_high:+.4g}]"
    interval = "" if gain.low is None or gain.high is None else f" [{gain.low:+.2%}, {gain.high:+.2%}]"
    return f"{gain.relative:+.2%}{interval}"
