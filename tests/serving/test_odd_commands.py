"""Whatever a command line says, ``ranker-serve`` ends with a message; none of these has an artifact to serve."""

from random import Random

from typer.testing import CliRunner

from serving.cli import app
from serving.settings import Settings

VALUES = [
    *("", " ", "-", "--", "0", "-1", "1.5", "1e400", "nan", "inf", "9" * 30, "9" * 5000, "x" * 5000),
    *("a\0b", "\udcff", "é", "true", "cpu", "cuda", "tcp://10.0.0.1:80", "http://a/b", "*", "/", "//", "/a/", "redis://:x"),
    *("[::1", "::", "256.1.1.1"),
]  # fmt: skip


def odd_command(seed: int, places: list[str]) -> list[str]:
    """Options of ``ranker-serve`` with odd values, and an artifact that is none."""
    random = Random(seed)
    names = sorted(Settings.model_fields)
    words = [random.choice(places)] if random.random() < 0.8 else []
    for _ in range(random.choice((1, 1, 2, 3))):
        flag = random.choice(("--", "--", "--", "--no-")) + random.choice(names).replace("_", "-")
        words += [flag, random.choice([*VALUES, *places])] if random.random() < 0.8 else [flag]
    return words


def test_odd_commands_end_with_a_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_text("{}")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    places = [str(tmp_path / name) for name in ("file", "folder", "binary", "loop", "none", "file/below", "x" * 300)]
    monkeypatch.chdir(tmp_path)
    wrong = {}
    for seed in range(150):
        words = odd_command(seed, places)
        ended = CliRunner().invoke(app, words)
        said = ended.stderr.strip() or ended.stdout.strip()
        if ended.exit_code not in (1, 2, 3) or "Traceback" in ended.output or not said:
            wrong[seed] = (words, ended.exit_code, repr(ended.exception), ended.output[-500:])
    assert wrong == {}
