"""``TF_CONFIG`` of each pod, and the command that runs with it."""

import json
import os
import subprocess
import sys

import pytest

from tests.training.command import ranker_train
from training.commands.pods import Pods

WORKERS = ["shop-worker-0.shop:2222", "shop-worker-1.shop:2222"]


@pytest.mark.parametrize("index", [0, 1])
def test_workers_alone_have_each_others_addresses_and_their_place(index):
    found = json.loads(Pods("shop", 2).config("worker", index))
    assert found == {"cluster": {"worker": WORKERS}, "task": {"type": "worker", "index": index}}


@pytest.mark.parametrize(
    ("role", "index", "kind"), [("chief", 0, "chief"), ("worker", 1, "worker"), ("server", 2, "ps")]
)
def test_servers_come_with_a_chief(role, index, kind):
    found = json.loads(Pods("shop", 2, 3, port=4000).config(role, index))
    assert found["task"] == {"type": kind, "index": index}
    assert found["cluster"] == {
        "chief": ["shop-chief-0.shop:4000"],
        "worker": ["shop-worker-0.shop:4000", "shop-worker-1.shop:4000"],
        "ps": ["shop-server-0.shop:4000", "shop-server-1.shop:4000", "shop-server-2.shop:4000"],
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--workers", 2, "--index", 2),
            "--index 2: the 2 pod(s) of role worker have indices from 0; does shop-worker have",
        ),
        (("--workers", 2, "--index", -1), "--index -1: "),
        (("--workers", 2, "--index", 0, "--role", "chief"), "--role chief: there is none without servers"),
        (("--workers", 2, "--index", 0, "--role", "wroker"), "--role: 'wroker' is not a role; did you mean 'worker'?"),
        (("--workers", 0, "--index", 0), "--workers: must be at least 1, got 0"),
        (("--workers", 2, "--servers", -1, "--index", 0), "--servers: must be at least 0, got -1"),
        (("--workers", 2, "--index", 0, "--port", 70000), "--port: must be from 1 to 65535, got 70000"),
        (("--workers", 2, "--index", 0, "--name", "Shop_x"), "--name: must be a name of a Service, at most 40"),
        (("--workers", 2, "--index", 0, "--name", "s" * 41), "--name: must be a name of a Service, at most 40"),
        (("--workers", 2), "--index: is not set, and neither is JOB_COMPLETION_INDEX"),
        (("--workers", 2, "--index", 0), "no-such-command: cannot be run: No such file or directory"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(options, told, monkeypatch):
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    monkeypatch.setenv("TF_CONFIG", "")  # which is put back
    ended = ranker_train("cluster", "--name", "shop", *options, "--", "no-such-command")
    assert ended.returncode == 1
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_command_runs_in_the_same_process_with_its_own_arguments_and_status():
    command = [sys.executable, "-m", "training.cli", "cluster", "--name", "shop", "--workers", "2", "--"]
    program = "import os, sys; print(os.getpid(), os.environ['TF_CONFIG'], sys.argv[1:]); sys.exit(75)"
    process = subprocess.Popen(
        [*command, sys.executable, "-c", program, "--data", "x"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JOB_COMPLETION_INDEX": "1"},
    )
    printed = process.communicate(timeout=120)[0]
    assert printed == f"{process.pid} {Pods('shop', 2).config('worker', 1)} ['--data', 'x']\n"
    assert process.returncode == 75
