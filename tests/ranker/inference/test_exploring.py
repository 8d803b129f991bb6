"""Exploration in Python: only with a seed, and then as the service draws."""

import pytest

from ranker.fusion import FusionError
from ranker.inference import InputError, Model

EXPLORE = {"kind": "epsilon", "epsilon": 0.5, "first": 5}


@pytest.fixture(scope="module")
def model(write_artifact, tmp_path_factory) -> Model:
    written = write_artifact(tmp_path_factory.mktemp("a"), fusion={"explore": EXPLORE}, still={"options": {}})
    return Model.load(written.folder, engine="onnxruntime")


@pytest.fixture
def ranked(model):
    golden = model.artifact.golden[0]
    return lambda **options: model.rank(golden.context, golden.candidates, **options)


def test_nothing_is_drawn_without_a_seed(ranked):
    greedy = ranked()
    assert (greedy.base_place, greedy.propensity) == (None, None)
    assert "explore" not in greedy.fusion
    assert greedy.fused.tolist() == sorted(greedy.fused, reverse=True)
    assert "propensity" not in greedy.to_frame()
    off = ranked(seed="a", fusion={"explore": False})
    assert off.ids == greedy.ids
    assert off.propensity is None


def test_a_seed_draws_and_parameters_change_the_draw(ranked):
    greedy, drawn = ranked(), [ranked(seed=str(seed), explain=3) for seed in range(20)]
    assert len({tuple(one.ids) for one in drawn}) > 5
    for one in drawn:
        assert [greedy.ids[place - 1] for place in one.base_place] == one.ids
        assert (one.propensity[5:] == 1).all()
        assert one.fusion["explore"]["epsilon"] == 0.5
    (some,) = {len(one.to_frame().columns) for one in drawn}
    assert some > len(greedy.to_frame().columns) + 2
    never = ranked(seed="a", fusion={"explore": {"epsilon": 0}})
    assert never.ids == greedy.ids
    assert never.propensity.tolist() == [1.0] * len(never)


def test_what_cannot_be_drawn_is_reported(ranked):
    with pytest.raises(InputError, match="seed: must be text, such as the request's id, got 7"):
        ranked(seed=7)
    for explore in (True, {"epsilon": 0.1}):
        with pytest.raises(InputError, match="seed: exploration needs one"):
            ranked(fusion={"explore": explore})
    with pytest.raises(FusionError, match="explore: the fusion does not explore"):
        ranked(seed="a", fusion={"name": "still", "explore": {}})
    with pytest.raises(FusionError, match=r"explore: epsilon must be a number in \[0, 1\], got 2"):
        ranked(seed="a", fusion={"explore": {"epsilon": 2}})
    assert ranked(seed="a", fusion="still").propensity is None
