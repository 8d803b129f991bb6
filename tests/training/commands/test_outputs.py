import os
import shutil

import pytest
from rich.console import Console

from tests.training.command import ranker_train
from training.commands.outputs import check_file, check_folder
from training.commands.report import report_artifact

COMMANDS = {
    "fit": ("fit", "{config}", "--output"),
    "compare": ("compare", "{config}", "--vary", "architecture=mmoe", "--output"),
    "compare --export-best": (
        *("compare", "{config}", "--vary", "architecture=mmoe", "--output", "{new}", "--export-best"),
    ),
    "pareto": ("pareto", "{config}", "--points", "2", "--output"),
    "search": ("search", "{new}", "--output"),
    "search --export": ("search", "{new}", "--output", "{new}", "--export"),
    "distill": ("distill", "{new}", "--output"),
    "simulate": ("simulate", "--output"),
    "export": ("export", "{new}", "--output"),
    "report": ("report", "{new}", "--output"),
    "evaluate --json": ("evaluate", "{new}", "--json"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_checks_first_where_it_writes(tmp_path, name):
    (tmp_path / "config.yaml").write_text("data: {}")  # a mistake of its sections would be found later
    (tmp_path / "taken").write_text("")
    named = {"config": tmp_path / "config.yaml", "new": tmp_path / "new"}
    below = tmp_path / "taken" / "below"
    ended = ranker_train(*(word.format(**named) for word in COMMANDS[name]), below)
    assert ended.returncode == 1
    option = COMMANDS[name][-1]
    taken = tmp_path / "taken"
    assert ended.stderr == f"error: {option} '{below}': cannot be written: '{taken}' is a file, not a folder\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "taken"]


def test_a_folder_is_new_or_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    check_folder("--output", tmp_path)
    check_folder("--output", tmp_path / "a" / "b")
    with pytest.raises(ValueError, match=r"--output .*file': is a file; name a folder"):
        check_folder("--output", tmp_path / "file")


def test_a_file_is_new_or_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    check_file("--json", tmp_path / "file")
    check_file("--json", tmp_path / "a" / "b.json")
    with pytest.raises(ValueError, match=r"--json .*: is a folder; name a file"):
        check_file("--json", tmp_path)


@pytest.mark.parametrize("check", [check_folder, check_file])
@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_a_link_that_leads_nowhere_is_named(tmp_path, check, below):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"--output .*: cannot be written: '.*/link' is a broken link"):
        check("--output", tmp_path / "link" / below)
    (tmp_path / "gone").mkdir()
    check("--output", tmp_path / "link" / "new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_export_and_report_check_where_they_write_by_default(tmp_path, trained):
    (tmp_path / "run").mkdir(mode=0o500)
    ended = ranker_train("export", tmp_path / "run")
    assert "no permission to write to" in ended.stderr
    shutil.copytree(trained.output / "1", tmp_path / "versions" / "1")
    (tmp_path / "versions").chmod(0o500)
    with pytest.raises(ValueError, match=r"--output .*report-1\.html': .*no permission to write to"):
        report_artifact(tmp_path / "versions", None, Console(quiet=True))
    (tmp_path / "versions").chmod(0o700)


def test_a_report_that_cannot_be_written_is_known_first(tmp_path, trained):
    (tmp_path / "versions").mkdir()
    shutil.copytree(trained.output / "1", tmp_path / "versions" / "1")
    (tmp_path / "versions" / "report-1.html").mkdir()
    with pytest.raises(ValueError, match=r"--output .*report-1\.html': is a folder; name a file"):
        report_artifact(tmp_path / "versions", None, Console(quiet=True))


@pytest.mark.parametrize("check", [check_folder, check_file])
@pytest.mark.parametrize("name", ["a\0b", "a" * 300])
def test_paths_that_no_file_has(tmp_path, check, name):
    with pytest.raises(ValueError, match=r"--output .*: cannot be written: "):
        check("--output", tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("check", [check_folder, check_file])
def test_a_folder_that_may_not_be_written(tmp_path, check):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="no permission to write to"):
        check("--output", tmp_path / "new")
