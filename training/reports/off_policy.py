"""The page of an off-policy evaluation: values by policy and estimator, by place, weights, support."""

from typing import Any

from training.off_policy.estimate import Interval
from training.off_policy.estimators import ASSUMES, ESTIMATORS
from training.off_policy.evaluate import Evaluation, PolicyValue
from training.reports.charts import grouped_bars, intervals
from training.reports.charts import lines as line_chart
from training.reports.page import Page

HEADERS = ("policy", "value", "gain", "interval of the gain", "effective requests", "never shown")
ESTIMATE_HEADERS = (
    "estimator", "value", "gain", "interval of the gain", "effective", "largest weight", "mean weight", "",
)  # fmt: skip
OBSERVED = "as logged"


def to_html(found: Evaluation) -> str:
    """Self-contained page."""
    page = Page(f"What policies would have earned: {found.reward}")
    page.text(verdict(found))
    for line in found.failed:
        page.note(line)
    page.text(explained(found))
    page.heading("Values").table(HEADERS, lines(found))
    if found.policies:
        page.text("Gains over what was observed, in the mean reward of a request. Bars are intervals.")
        page.chart(intervals(_gains(found), title=ESTIMATORS[found.estimator].title))
        page.heading("By place").text("Mean reward of a request at each place.")
        page.chart(line_chart(_by_place(found), "place", "reward", "policy", points=True))
        page.heading("Weights").text(
            "A request counts by how much more likely the policy shows what was shown than the logging policy did: its "
            "largest weight of a place. Few large weights mean that few requests decide."
        )
        page.chart(grouped_bars(_weights(found), "weight", "requests", "policy"))
    for policy in found.policies:
        page.heading(policy.name)
        for doubt in policy.doubts:
            page.note(doubt)
        page.chart(intervals(_estimators(policy), title="gain by estimator"))
        page.table(ESTIMATE_HEADERS, estimate_lines(policy))
        page.code(_fusion(policy))
    page.heading("What estimators assume")
    page.table(("estimator", "assumes"), [[name, ASSUMES[one.weighting]] for name, one in ESTIMATORS.items()])
    page.heading("The log").text(_agreement(found))
    if found.left_out:
        page.table(("left out", "requests"), [[reason, f"{count:,}"] for reason, count in found.left_out.items()])
    for note in found.notes:
        page.text(note)
    return page.html()


def verdict(found: Evaluation) -> str:
    """One sentence."""
    count = len(found.failed)
    if not count:
        return "The log can tell the values of all policies."
    return f"Not answered: {count} reason{'s' if count > 1 else ''}."


def explained(found: Evaluation) -> str:
    """What the values are of."""
    estimator = ESTIMATORS[found.estimator]
    return (
        f"{found.requests:,} requests of {found.users:,} users whose order was drawn at random, with rewards of up to "
        f"{found.places} places. Judged is {found.estimator} ({estimator.title}), which assumes "
        f"{ASSUMES[estimator.weighting]}. Intervals hold the true value with a probability of about "
        f"{found.options['level']:.0%}; requests of one user count as dependent."
    )


def lines(found: Evaluation) -> list[list[str]]:
    """One line of cells per policy, under ``HEADERS``; first what was observed."""
    seen = found.observed
    rows = [[OBSERVED, _value(seen), "", "", f"{found.requests:,}", ""]]
    for policy in found.policies:
        one = policy.estimates[found.estimator]
        by_place = ESTIMATORS[found.estimator].weighting == "place"
        outside = max(policy.support.outside_at) if by_place else policy.support.outside
        told = not policy.reasons[found.estimator]
        value = [_value(one.value), f"{one.gain.value:+.4g}", _ends(one.gain, "+")]
        rows.append(
            [
                policy.name,
                *(value if told else ["unknown", "unknown", ""]),
                f"{one.least_effective:,.0f}",
                f"{outside:.1%}",
            ]
        )
    return rows


def estimate_lines(policy: PolicyValue) -> list[list[str]]:
    """One line of cells per estimator, under ``ESTIMATE_HEADERS``."""
    return [
        [
            name,
            _value(one.value),
            f"{one.gain.value:+.4g}",
            _ends(one.gain, "+"),
            f"{one.least_effective:,.0f}",
            f"{one.largest:.3g}",
            f"{min(one.mean_weight):.3g} to {max(one.mean_weight):.3g}",
            "too little support" if policy.reasons[name] else "",
        ]
        for name, one in policy.estimates.items()
    ]


def _gains(found: Evaluation) -> list[dict[str, Any]]:
    return [
        {"label": policy.name, **_gain(policy.estimates[found.estimator].gain), "bound": found.options.get("least")}
        for policy in found.policies
        if not policy.reasons[found.estimator]
    ]


def _estimators(policy: PolicyValue) -> list[dict[str, Any]]:
    return [
        {"label": name, **_gain(one.gain), "bound": None}
        for name, one in policy.estimates.items()
        if not policy.reasons[name]
    ]


def _gain(interval: Interval) -> dict[str, float]:
    return {"gain": interval.value, "low": interval.low, "high": interval.high}


def _by_place(found: Evaluation) -> list[dict[str, Any]]:
    seen = [
        {"place": place + 1, "reward": value, "policy": OBSERVED} for place, value in enumerate(found.observed_by_place)
    ]
    return seen + [
        {"place": place + 1, "reward": one.value, "policy": policy.name}
        for policy in found.policies
        for place, one in enumerate(policy.estimates[found.estimator].by_place)
    ]


def _weights(found: Evaluation) -> list[dict[str, Any]]:
    return [
        {"weight": f"up to {end:g}" if end < float("inf") else "more", "requests": count, "policy": policy.name}
        for policy in found.policies
        for end, count in policy.weights
    ]


def _fusion(policy: PolicyValue) -> str:
    return "\n".join(f"{name}: {value}" for name, value in policy.fusion.items() if value)


def _agreement(found: Evaluation) -> str:
    orders = found.agreement.orders
    again = "could not be computed again" if orders is None else f"are the same for {orders:.2%}"
    return (
        f"The logging policy was computed again: propensities are those of the log for "
        f"{found.agreement.propensities:.2%} of requests, and orders before exploration {again}."
    )


def _value(interval: Interval) -> str:
    """A value and its standard error."""
    return f"{interval.value:.5g} ± {interval.error:.2g}"


def _ends(interval: Interval, sign: str = "") -> str:
    return f"[{interval.low:{sign}.4g}, {interval.high:{sign}.4g}]"
