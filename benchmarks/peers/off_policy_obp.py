"""Values of slates by Open Bandit Pipeline, for the estimators of ``ranker-train evaluate-policy`` on the same numbers.

    uv pip install --no-deps obp==0.5.5
    uv pip install "numpy<2" pandas scipy scikit-learn matplotlib seaborn tqdm pyieoe torch
    python benchmarks/peers/off_policy_obp.py

In an environment of its own: obp pins packages that Python 3.11 does not install, hence ``--no-deps``. The numbers that
it prints are in ``tests/training/off_policy/test_obp.py``, which compares ours with them.
"""

from typing import Any

import numpy as np

REQUESTS, PLACES, ITEMS = 40, 3, 4


def arrays() -> dict[str, Any]:
    """A log of ``ITEMS`` items, by request and place.

    ``shown`` items and ``rewards`` [R, K]; chances of each item given those before it, ``logging`` and ``target``
    [R, K, M]; chances of the shown item whatever is before it, ``logging_at`` and ``target_at`` [R, K]; rewards by a
    model, ``model`` [R, K, M]; what it expects of all places of the target together, by place, ``target_mean`` [R, K].
    """
    random = np.random.default_rng(2026)
    shape = (REQUESTS, PLACES)
    chances = {name: random.dirichlet(np.full(ITEMS, 3.0), shape) for name in ("logging", "target")}
    at = {name: random.uniform(0.1, 0.9, shape) for name in ("logging_at", "target_at")}
    return {
        "shown": random.integers(0, ITEMS, shape),
        "rewards": random.poisson(0.8, shape).astype(float),
        "model": random.uniform(0.2, 1.4, (*shape, ITEMS)),
        "target_mean": random.uniform(0.2, 1.4, shape),
        **chances,
        **at,
    }


def chosen(chances: Any, shown: Any) -> Any:
    """Of [R, K, M], what belongs to the shown items [R, K]."""
    return np.take_along_axis(chances, shown[..., None], axis=2)[..., 0]


def main() -> None:
    """Print the values."""
    from obp.ope import estimators_slate as slate

    given = arrays()
    slates = {
        "slate_id": np.repeat(np.arange(REQUESTS), PLACES),
        "position": np.tile(np.arange(PLACES), REQUESTS),
        "reward": given["rewards"].ravel(),
    }
    along = {name: np.cumprod(chosen(given[name], given["shown"]), axis=1) for name in ("logging", "target")}
    whole = {name: np.repeat(values[:, -1:], PLACES, axis=1).ravel() for name, values in along.items()}
    lists = {"pscore": whole["logging"], "evaluation_policy_pscore": whole["target"]}
    cascades = {
        "pscore_cascade": along["logging"].ravel(),
        "evaluation_policy_pscore_cascade": along["target"].ravel(),
    }
    places = {
        "pscore_item_position": given["logging_at"].ravel(),
        "evaluation_policy_pscore_item_position": given["target_at"].ravel(),
    }
    for name, estimator, chances in (
        ("list_ips", slate.SlateStandardIPS, lists),
        ("cascade_ips", slate.SlateRewardInteractionIPS, cascades),
        ("place_ips", slate.SlateIndependentIPS, places),
        ("list_snips", slate.SelfNormalizedSlateStandardIPS, lists),
        ("cascade_snips", slate.SelfNormalizedSlateRewardInteractionIPS, cascades),
        ("place_snips", slate.SelfNormalizedSlateIndependentIPS, places),
    ):
        print(f'    "{name}": {estimator(len_list=PLACES).estimate_policy_value(**slates, **chances):.12f},')
    # Ours is the observed mean and the difference of two doubly robust values: the target's and the logging policy's.
    after = np.cumsum(given["target_mean"][:, ::-1], axis=1)[:, ::-1] - given["target_mean"]
    cascade = slate.SlateCascadeDoublyRobust(len_list=PLACES, n_unique_action=ITEMS)
    values = [
        cascade.estimate_policy_value(
            **slates,
            action=given["shown"].ravel(),
            pscore_cascade=along["logging"].ravel(),
            evaluation_policy_pscore_cascade=along[policy].ravel(),
            q_hat=(given["model"] + after[..., None]).ravel(),
            evaluation_policy_action_dist=given[policy].ravel(),
        )
        for policy in ("target", "logging")
    ]
    print(f'    "cascade_dr": {given["rewards"].sum(axis=1).mean() + values[0] - values[1]:.12f},')


if __name__ == "__main__":
    main()
