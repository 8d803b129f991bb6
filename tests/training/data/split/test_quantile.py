import numpy as np
import pytest

from training.data.split.quantile import at_rank, keys, values

RANDOM = np.random.default_rng(0)
SAMPLES = {
    "all of 64 bits": np.concatenate(
        [RANDOM.integers(-(2**63), 2**63 - 1, 500), np.array([-(2**63), -1, 0, 2**63 - 1])]
    ),
    "few values": RANDOM.integers(0, 5, 1000),
    "one value": np.full(10, 7),
    "an outlier": np.append(RANDOM.integers(1_700_000_000, 1_700_086_400, 1000), 253_402_300_799),
    "doubles": np.concatenate([RANDOM.normal(size=500), [-0.0, 0.0, 1e300, -1e300, 5e-324]]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_rank_is_exact(name):
    numbers = SAMPLES[name]
    ordered = np.sort(numbers)
    low, high = ordered[0].item(), ordered[-1].item()
    for rank in {0, 1, 5, len(numbers) // 3, len(numbers) // 2, len(numbers) - 2, len(numbers) - 1}:
        found = at_rank(lambda: np.array_split(numbers, 7), rank, low, high)
        assert found == ordered[rank], rank


def test_at_most_four_passes():
    numbers, passes = SAMPLES["all of 64 bits"], []

    def counted():
        passes.append(1)
        return [numbers]

    at_rank(counted, 100, numbers.min().item(), numbers.max().item())
    assert len(passes) <= 4


@pytest.mark.parametrize("name", SAMPLES)
def test_keys_are_in_order_and_give_the_values_back(name):
    ordered = np.unique(SAMPLES[name])
    assert (np.diff(keys(ordered).astype(object)) > 0).all()
    assert (values(keys(ordered), ordered.dtype) == ordered).all()
