import subprocess
import sys

from serving import example


def ranker_serve(*arguments):
    command = [sys.executable, "-c", "from serving.cli import app; app()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_missing_artifact_is_one_line(tmp_path):
    ended = ranker_serve(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "holds no manifest.json and no numbered version" in ended.stderr


def test_help_names_every_option():
    text = ranker_serve("--help").stdout
    assert all(
        option in text for option in ("--host", "--port", "--device", "--workers", "--threads", "--max-candidates")
    )


def test_the_example_client_prints_a_ranking(url, capsys):
    example.main(url)
    printed = " ".join(capsys.readouterr().out.split())
    assert "version 1, default fusion (additive)" in printed
    assert "buy" in printed
