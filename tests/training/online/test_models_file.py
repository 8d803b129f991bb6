"""Replacing one section of a YAML file and nothing else."""

import json
import stat
import textwrap
from pathlib import Path

import pytest
import yaml

from ranker.config.file import ConfigError
from training.online.models_file import check_writable, current_experiment, with_experiment, write_experiment

NEW = {"name": "n-g001", "header": "X-User", "groups": {"control": {"share": 0.5}, "s1": {"share": 0.5}}}
SECTION = yaml.safe_dump({"experiment": NEW}, sort_keys=False)
MODELS = "# ours\nmodels:\n  main: {artifact: a}  # the first\n"
OLD = {
    "block": "experiment: # old\n  name: old\n  # inside\n  groups:\n    - {a: 1}\n    - b\n",
    "flow": "experiment: {name: old,\n  unit: u}  # told\n",
    "quoted": 'experiment:\n  name: "old\n    name"\n',
    "literal": "experiment:\n  name: |\n    old\n    text\n",
    "empty": "experiment:\n",
}


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "models.yaml"


@pytest.mark.parametrize("old", OLD.values(), ids=OLD)
@pytest.mark.parametrize("after", ["", "\n# of the default\ndefault: main  # end", "default: main\n"])
def test_lines_of_other_sections_stay_as_they_are(file, old, after) -> None:
    file.write_text(MODELS + old + after)
    write_experiment(file, NEW)
    assert file.read_text() == MODELS + SECTION + after.lstrip("\n" if old == OLD["literal"] else "")
    assert current_experiment(file) == NEW
    write_experiment(file, None)
    assert file.read_text() == MODELS + after.lstrip("\n" if old == OLD["literal"] else "")
    assert current_experiment(file) is None


def test_a_file_without_an_experiment_gets_one_at_its_end(file) -> None:
    for text in (MODELS, MODELS.rstrip("\n"), "---\n" + MODELS):
        file.write_text(text)
        assert with_experiment(file, NEW) == text.rstrip("\n") + "\n" + SECTION
        assert file.read_text() == text


def test_json_stays_json(file) -> None:
    content = {"models": {"m\u00e4in": {"artifact": "a"}}, "experiment": {"name": "old"}}
    file.write_text(json.dumps(content))
    write_experiment(file, NEW)
    assert json.loads(file.read_text(encoding="utf-8")) == {**content, "experiment": NEW}
    write_experiment(file, None)
    assert json.loads(file.read_text(encoding="utf-8")) == {"models": content["models"]}


def test_flow_style_is_written_anew_with_equal_content(file) -> None:
    file.write_text("{models: {main: {artifact: a}}, experiment: {name: old}}  # ours\n")
    write_experiment(file, NEW)
    assert yaml.safe_load(file.read_text()) == {"models": {"main": {"artifact": "a"}}, "experiment": NEW}


@pytest.mark.parametrize("old", OLD.values(), ids=OLD)
def test_ends_of_lines_marks_of_the_encoding_and_indentation_stay(file, old) -> None:
    text = MODELS + old + "default: main\n"
    after = MODELS + SECTION + "default: main\n"
    for change in (
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: textwrap.indent(text, "  "),
    ):
        file.write_bytes(change(text).encode())
        write_experiment(file, NEW)
        assert file.read_bytes() == change(after).encode()


def test_permissions_stay(file) -> None:
    file.write_text(MODELS)
    file.chmod(0o640)
    write_experiment(file, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("text", ["experiment: &e {name: old}\nmodels: *e\n", MODELS + "...\n"])
def test_what_cannot_be_replaced_on_its_own_is_refused(file, text) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match="its section experiment cannot be replaced on its own"):
        write_experiment(file, NEW)
    assert file.read_text() == text


def test_files_that_cannot_be_written_are_named(file, tmp_path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        check_writable(file)
    file.write_text(MODELS)
    check_writable(file)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    with pytest.raises(
        ConfigError, match=r"is a link, which writing would replace; name the file that it leads to, .*models"
    ):
        check_writable(link)
    file.write_text("experiment: 3\n")
    with pytest.raises(ConfigError, match="experiment: must be a mapping, got 3"):
        current_experiment(file)
