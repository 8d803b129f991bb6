import os
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from serving import cli, example
from serving.settings import KEYS, Settings
from tests.serving.conftest import serving
from tests.serving.server_process import by_command, free_port, ready, server_process
from tests.serving.warm import ranker_serve


@pytest.mark.parametrize("start", [by_command, None])
def test_a_missing_artifact_is_one_line(tmp_path, start):
    ended = ranker_serve(tmp_path, start=start)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "has no manifest.json and no numbered version" in ended.stderr


def test_help_names_every_option():
    text = ranker_serve("--help").stdout
    secret = {"api_keys", "admin_keys", "users"}  # a command line can be read by others
    settings = [name for name in Settings.model_fields if name not in secret | {"artifact", "runtime", "scorers"}]
    options = ["--" + name.replace("_", "-") for name in ("host", "port", "workers", *settings)]
    assert [option for option in options if option not in text] == []


def test_host_port_and_workers_are_read_from_the_environment(artifact):
    port = free_port()
    given = {"host": "127.0.0.2", "port": port, "workers": 2, "drain": 0, "engine": "onnxruntime"}
    with server_process(
        artifact.folder, settings=given, is_up=lambda: ready(f"http://127.0.0.2:{port}"), stderr=subprocess.DEVNULL
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2  # none where one process does all


def test_the_address_of_a_kubernetes_service_is_no_port_and_an_option_stands_before_it(artifact):
    ended = ranker_serve(artifact.folder, port="tcp://10.0.0.1:80")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "RANKER_SERVE_PORT: is the address of a Kubernetes service" in ended.stderr
    assert "enableServiceLinks: false" in ended.stderr
    with serving(artifact.folder, port="tcp://10.0.0.1:80", port_80_tcp="tcp://10.0.0.1:80") as url:  # and --port
        assert ready(url)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--workers", "0", "greater than or equal to 1"),
        ("--workers", "two", "valid integer"),
        ("--port", "65536", "less than or equal to 65535"),
        ("--log-requests", "some", "'all', 'errors' or 'none'"),
        ("--body-timeout", "0", "greater than 0"),
        ("--threads", "-1", "greater than or equal to 0"),
    ],
)
def test_an_option_out_of_range_is_an_error_that_names_it(artifact, option, value, said):
    ended = ranker_serve(artifact.folder, option, value)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"RANKER_SERVE_{option.removeprefix('--').replace('-', '_').upper()}: " in ended.stderr
    assert said in ended.stderr
    assert f"got '{value}'" in ended.stderr


def told(monkeypatch, *arguments, **variables):
    """Settings that the command starts with, and those that its workers will read."""
    found = []
    monkeypatch.setattr(cli, "_check", lambda _: None)
    monkeypatch.setattr(cli, "_run", lambda settings, _: found.extend((settings, Settings.from_environment())))
    with mock.patch.dict(os.environ, variables):  # the command sets variables for its workers
        ended = CliRunner().invoke(cli.app, list(arguments))
    assert ended.exit_code == 0, ended.output
    return found


def test_empty_variables_are_as_if_not_set_for_every_setting(monkeypatch):
    names = [name for name in Settings.model_fields if name not in (*KEYS, "runtime", "threads")]
    empty = {f"RANKER_SERVE_{name.upper()}": "" for name in names}
    started, workers = told(monkeypatch, "a", **empty)
    assert started == workers
    assert started.model_dump(include=set(names)) == Settings(artifact="a").model_dump(include=set(names))


def test_an_empty_text_may_be_an_option(monkeypatch):
    started, workers = told(monkeypatch, "a", "--users-prefix", "", "--root-path", "", RANKER_SERVE_USERS_PREFIX="x")
    assert started.users_prefix == workers.users_prefix == ""


@pytest.mark.parametrize("name", ["items", "models", "host", "engine", "device", "watch"])
def test_an_empty_option_is_an_error_where_a_value_is_needed(name):
    ended = CliRunner().invoke(cli.app, ["a", f"--{name}", ""])
    assert ended.exit_code == 1
    assert f"RANKER_SERVE_{name.upper()}: is empty; give it a value, or leave it out" in ended.output


@pytest.mark.parametrize("name", KEYS)
def test_empty_keys_are_refused(name):
    ended = CliRunner().invoke(cli.app, ["a"], env={f"RANKER_SERVE_{name.upper()}": ""})
    assert ended.exit_code == 1
    assert f"RANKER_SERVE_{name.upper()}: is empty" in ended.output


def test_a_server_with_empty_variables_starts(artifact):
    with serving(artifact.folder, workers="", log_requests="", root_path="", items="", models="", users="") as url:
        assert ready(url)


def test_the_example_client_prints_a_ranking(url, capsys):
    example.main(url)
    printed = " ".join(capsys.readouterr().out.split())
    assert "version 1, default fusion (additive)" in printed
    assert "buy" in printed
