import pytest

from tests.training.conftest import QUICK
from training.config.experiment import ConfigError, Experiment, checked


def test_an_ensemble_is_stored_and_read_again():
    assert checked(QUICK).ensemble is None
    assert checked(QUICK).keeps_state
    found = checked({**QUICK, "ensemble": {"seeds": 3}})
    assert not found.keeps_state
    stored = found.model_dump(mode="json", by_alias=True)
    assert stored["ensemble"] == {"seeds": 3}
    assert Experiment.model_validate(stored) == found


def test_members_without_weights_are_refused():
    with pytest.raises(ConfigError, match="members of boosted_trees would be equal"):
        checked({**QUICK, "architecture": {"name": "boosted_trees"}, "ensemble": {"seeds": 2}})


@pytest.mark.parametrize(
    ("ensemble", "complaint"),
    [({"seeds": 1}, "ensemble.seeds"), ({"seed": 3}, "unknown key 'seed'; did you mean 'seeds'")],
)
def test_what_an_ensemble_cannot_be_is_refused_by_its_path(ensemble, complaint):
    with pytest.raises(ConfigError, match=complaint):
        checked({**QUICK, "ensemble": ensemble})
