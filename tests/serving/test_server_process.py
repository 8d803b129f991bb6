"""What tests and benchmarks start a server with."""

import os
import socket
import tempfile

import pytest

from tests.serving.server_process import environment, free_port, server_process


def test_settings_are_variables_of_the_server_beside_those_of_this_process():
    given = environment({"drain": 0, "engine": "onnxruntime"})
    assert {"RANKER_SERVE_DRAIN": "0", "RANKER_SERVE_ENGINE": "onnxruntime", **os.environ} == given


def test_a_free_port_can_be_bound():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", free_port()))


def test_a_server_that_ends_at_once_is_an_error_with_its_log(tmp_path):
    def run() -> None:
        with server_process(tmp_path / "none", settings={}, is_up=lambda: False, stderr=log):
            raise AssertionError("there is nothing to serve")

    with tempfile.TemporaryFile() as log, pytest.raises(RuntimeError, match=r"did not start:\nerror: .*none"):
        run()
