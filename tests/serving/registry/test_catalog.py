"""The file that names several models: what it may say, and what is said of mistakes."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from serving.ranking.ranker import ONLY_MODEL
from serving.registry.catalog import Catalogue
from serving.settings import Settings, SettingsError

SHIPPED = Path(__file__).parents[3] / "deploy" / "models.yaml"
GOOD = """models:
  main: {artifact: artifacts/main}
  challenger: {artifact: /elsewhere/challenger, version: 3}
default: main
experiment:
  name: autumn
  unit: user_id
  groups:
    control: {share: 0.9}
    bold: {share: 0.1, model: challenger, fusion: bold}
"""


def read(tmp_path, text):
    file = tmp_path / "models.yaml"
    file.write_text(text)
    return Catalogue.of(Settings(models=file))


def test_what_a_file_says(tmp_path):
    found = read(tmp_path, GOOD)
    assert {name: (source.artifact, source.version) for name, source in found.models.items()} == {
        "main": (tmp_path / "artifacts" / "main", None),  # beside the file
        "challenger": (Path("/elsewhere/challenger"), 3),
    }
    bold = found.experiment.groups["bold"]
    assert (bold.model, bold.choice.name, bold.choice.parameters) == ("challenger", "bold", {})
    assert found.experiment.groups["control"].choice is None
    assert Catalogue.model_validate_json(found.model_dump_json()) == found


def test_json_is_read_too_and_one_model_is_the_default(tmp_path):
    found = read(tmp_path, '{"models": {"m": {"artifact": "a"}}}')
    assert (found.default, found.experiment) == ("m", None)


def test_an_artifact_alone_is_one_model(tmp_path):
    found = Catalogue.of(Settings(artifact=tmp_path))
    assert (list(found.models), found.default) == ([ONLY_MODEL], ONLY_MODEL)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("default: main", "default: mian", "line 4, default: no model is named 'mian'; did you mean 'main'?"),
        ("default: main\n", "", "line 1, default: is required"),
        (
            "model: challenger",
            "model: chalenger",
            "line 10, experiment.groups.bold.model: no model is named 'chalenger'; ",
        ),
        ("share: 0.1", "share: 0.2", "line 5, experiment: the groups' shares must sum to 1, got 1.1"),
        ("share: 0.1", "shar: 0.1", "unknown key 'shar'; did you mean 'share'?"),
        ("share: 0.1", "share: -0.1", "experiment.groups.bold.share: must be greater than or equal to 0"),
        ("  unit: user_id\n", "", "name exactly one of unit"),
        ("unit: user_id", "header: 'X Unit'", "experiment.header: must match pattern"),
        ("version: 3", "version: latest", "line 3, models.challenger.version: "),
        (
            "artifact: artifacts/main",
            "artefact: a",
            "line 2, models.main.artefact: unknown key 'artefact'; did you mean",
        ),
        ("fusion: bold", "fusion: {nam: bold}", "unknown key 'nam'; did you mean 'name'?"),
        ("  main:", "  _main:", "models._main"),
        ("models:", "models: [", "is not valid YAML"),
    ],
)
def test_mistakes_are_named_by_line_and_key(tmp_path, old, new, said):
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert str(caught.value).startswith("RANKER_SERVE_MODELS: ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_MODELS: .*nothing\.yaml: cannot be read"):
        Catalogue.of(Settings(models=tmp_path / "nothing.yaml"))


def test_either_an_artifact_or_a_file():
    for given in ({}, {"RANKER_SERVE_ARTIFACT": "/a", "RANKER_SERVE_MODELS": "/m", "RANKER_SERVE_API_KEYS": "secret"}):
        with pytest.raises(SettingsError, match="name ") as caught:
            Settings.from_environment(given)
        assert "secret" not in str(caught.value)


def test_two_experiments_of_other_content_have_other_revisions(tmp_path):
    one, two = (
        read(tmp_path, GOOD).experiment,
        read(tmp_path, GOOD.replace("0.9", "0.8").replace("0.1", "0.2")).experiment,
    )
    assert one.revision == read(tmp_path, GOOD).experiment.revision != two.revision
    with pytest.raises(ValidationError, match="frozen"):
        one.name = "other"


def test_the_shipped_file_is_read():
    found = Catalogue.of(Settings(models=SHIPPED))
    assert found.experiment is not None
    assert set(yaml.safe_load(SHIPPED.read_text())) == set(Catalogue.model_fields)
