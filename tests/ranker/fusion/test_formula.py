from typing import Any

import numpy as np
import pytest

import ranker.fusion.formula
from ranker.fusion import FUSIONS, Candidates, FusionError, Parameter


@pytest.mark.parametrize(("sets", "candidates"), [(7, 5), (1, 30), (3, 12), (4, 0)])
def test_evaluating_in_blocks_equals_all_at_once(monkeypatch: Any, sets: int, candidates: int) -> None:
    monkeypatch.setattr(ranker.fusion.formula, "BLOCK", 12)
    rng = np.random.default_rng(0)
    for name in ("additive", "rank_power", "rank_bucket"):
        formula = FUSIONS[name](("a", "b"))
        prepared = formula.prepare(Candidates.of(("a", "b"), rng.random((candidates, 2))))
        parameters = {
            p.name: rng.uniform(max(p.low, 1), min(p.high, 5), (sets, 2) if p.per_objective else sets)
            for p in formula.parameters
        }
        together, seen = formula.combine(prepared, parameters), []
        for chosen, fused in formula.sweep(prepared, parameters):
            np.testing.assert_allclose(fused, together[chosen], rtol=1e-13)
            assert fused.shape == (chosen.stop - chosen.start, candidates)
            seen += range(chosen.start, chosen.stop)
        assert seen == list(range(sets))


def test_a_whole_number_beyond_floats_is_out_of_bounds() -> None:
    parameter = Parameter(name="power", default=1.0, low=0.0, high=5.0, per_objective=False, description="Any.")
    with pytest.raises(FusionError, match=r"power must be a number in \[0, 5\], got inf"):
        parameter.checked(10**400, owner="power")
