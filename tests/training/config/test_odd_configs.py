"""Whatever a config says, ``load`` takes it or says what is wrong with it. ``benchmarks.odd_configs`` tries more."""

import pytest

from tests.training.config.odd_configs import complaint, odd_config

EXAMPLES = 150


@pytest.mark.parametrize("start", range(0, EXAMPLES, 50))
def test_odd_configs_are_taken_or_refused_in_words(tmp_path, start):
    found = {seed: complaint(odd_config(seed), tmp_path) for seed in range(start, start + 50)}
    assert {seed: text for seed, text in found.items() if text is not None} == {}
