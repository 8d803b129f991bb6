"""The same values as Open Bandit Pipeline 0.5.5, which ``benchmarks/peers/off_policy_obp.py`` has printed."""

import numpy as np
import pytest

from benchmarks.peers.off_policy_obp import REQUESTS, arrays, chosen
from training.off_policy.estimate import estimate
from training.off_policy.sample import Model, Sample

VALUES = {
    "list_ips": 15.353447093178,
    "cascade_ips": 10.692552141640,
    "place_ips": 3.241731606311,
    "list_snips": 2.871013225603,
    "cascade_snips": 2.914610859308,
    "place_snips": 2.359013974170,
    "cascade_dr": 4.377972955495,
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_those_of_obp(name):
    given = arrays()
    own = {policy: chosen(given[policy], given["shown"]) for policy in ("logging", "target")}
    expected = {policy: (given[policy] * given["model"]).sum(axis=2) for policy in ("logging", "target")}
    shape = given["rewards"].shape
    sample = Sample(
        rewards=given["rewards"],
        has=np.ones(shape, dtype=bool),
        **own,
        logging_at=given["logging_at"],
        target_at=given["target_at"],
        outside=np.zeros(REQUESTS),
        outside_at=np.zeros(shape),
        units=np.arange(REQUESTS),
        model=Model(
            shown=chosen(given["model"], given["shown"]),
            logging=np.zeros(shape),
            target=given["target_mean"],
            logging_next=expected["logging"],
            target_next=expected["target"],
        ),
    )
    assert estimate(sample, name).value.value == pytest.approx(VALUES[name], abs=1e-11)
