import numpy as np
import pytest

from ranker.fusion import Candidates, Fusion, FusionError, build_fusion


def fitted(population: list[list[float]], **options: int) -> Fusion:
    names = ["click", "watch"][: np.shape(population)[1]]
    return build_fusion("percentile", names, {}, options).fit(Candidates.of(tuple(names), population))


def test_hand_computed() -> None:
    fusion = fitted([[0.0, 10.0], [0.1, 20.0], [0.2, 30.0], [0.3, 40.0], [0.4, 90.0]], quantiles=5)
    # click: 0.1 is at 1/4, 0.35 at 7/8; watch: 65 is half way from 3/4 to 1, 200 above all
    np.testing.assert_allclose(fusion.fuse([[0.1, 65.0], [0.35, 200.0]]), [0.25 + 0.875, 0.875 + 1.0], rtol=1e-12)


def test_the_population_itself_is_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    population = np.exp(rng.normal(size=(20_000, 1)))
    shares = fitted(population.tolist()).fuse(population)
    np.testing.assert_allclose(np.quantile(shares, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=1e-3)


def test_tied_values_get_the_middle_of_their_range() -> None:
    fusion = fitted([[0.0], [0.0], [0.0], [0.5], [1.0]], quantiles=5)
    np.testing.assert_allclose(fusion.fuse([[0.0], [0.25], [0.5]]), [0.25, 0.5, 0.75], rtol=1e-12)


def test_a_population_of_one_value_gives_equal_scores() -> None:
    assert fitted([[0.3], [0.3]]).fuse([[0.0], [0.3], [1.0]]).tolist() == [0.5, 0.5, 0.5]


def test_a_request_of_poor_candidates_gets_low_shares() -> None:
    fusion = fitted(np.linspace(0, 1, 101)[:, None].tolist())
    assert fusion.fuse([[0.02], [0.01]]).max() == pytest.approx(0.02)


def test_it_must_be_fitted() -> None:
    with pytest.raises(FusionError, match="'percentile' must be fitted to a reference population"):
        build_fusion("percentile", ["click"], {}).fuse([[0.5]])
    with pytest.raises(FusionError, match=r"reference population .* no rows"):
        fitted(np.empty((0, 1)))  # type: ignore[arg-type]


def test_options_are_checked() -> None:
    with pytest.raises(FusionError, match=r"^options\.quantiles: .* greater than or equal to 2"):
        build_fusion("percentile", ["click"], {}, {"quantiles": 1})
    with pytest.raises(FusionError, match="did you mean 'quantiles'"):
        build_fusion("percentile", ["click"], {}, {"quantile": 10})
    with pytest.raises(FusionError, match="unknown key 'quantiles'"):
        build_fusion("additive", ["click"], {}, {"quantiles": 10})
