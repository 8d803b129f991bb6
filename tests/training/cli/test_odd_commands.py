"""Whatever a command line says, ``ranker-train`` ends with a message; none of these comes as far as training."""

from random import Random

import pytest
from typer.testing import CliRunner

from tests.training.conftest import written
from training.cli import app
from training.cli.terminal import console

COMMANDS = [
    "simulate",
    "encode",
    "fit",
    "evaluate",
    "export",
    "compare",
    "pareto",
    "search",
    "join",
    "online",
    "distill",
    "promote",
    "experiment",
    "evaluate-policy",
    "inspect",
    "report",
    "plan",
    "schema",
]
OPTIONS = [
    *("--output", "--rows", "--seed", "--overwrite", "--data", "--restart", "--json", "--group-by", "--bootstrap"),
    *("--validation", "--given-conflicts", "--vary", "--seeds", "--test", "--jobs", "--export-best", "--best-by"),
    *("--points", "--method", "--total", "--objectives", "--pick", "--prefer", "--maximise", "--require", "--fusion"),
    *("--metrics", "--relevance", "--list-by"),
    *(
        "--formula",
        "--trust",
        "--budget",
        "--held-out",
        "--binned",
        "--export",
        "--force",
        "--keep",
        "--min-ndcg",
        "--depth",
        "--against",
        "--by",
        "--bounds",
        "--level",
        "--activate",
        "--live",
        "--world",
        "--requests",
        "--within",
        "--label",
        "--events",
        "--now",
        "--admin-key-env",
        "--exposures",
        "--metric",
        "--guardrail",
        "--shares",
        "--effect",
        "--once",
        "--dry-run",
        "--replace",
        "--processes",
        "--outptu",
        "-o",
    ),
]
VALUES = [
    *("", " ", "-", "--", "=", "0", "-1", "1e400", "nan", "9" * 30, "9" * 5000, "x" * 5000, "a\0b", "\udcff", "é", "*"),
    *("**", "[", "a=", "=a", "architecture=", "architecture=mmoe", "training.epochs=[1", "weighting=all", "a=b,,c"),
    *("s3://bucket/log", "/dev/null", "/proc/self/mem", "click.auc >=", "click=nan", "2 * ", "keep", "True"),
]
NEEDED = {
    "simulate": ("--output", "{file}"),
    "encode": ("{config}", "--output", "{new}", "--data", "{none}"),
    "fit": ("{config}", "--output", "{new}", "--data", "{none}"),
    "evaluate": ("{none}", "--data", "{none}"),
    "export": ("{none}",),
    "compare": ("{config}", "--output", "{new}", "--vary", "architecture=mmoe", "--data", "{none}"),
    "pareto": ("{config}", "--output", "{new}", "--points", "2", "--data", "{none}"),
    "search": ("{none}", "--output", "{new}", "--data", "{none}"),
    "join": (
        "--artifact",
        "{none}",
        "--exposures",
        "{none}",
        "--events",
        "{none}",
        "--output",
        "{new}",
        "--within",
        "1h",
    ),
    "online": ("{none}", "--output", "{new}"),
    "distill": ("{none}", "--output", "{new}", "--data", "{none}"),
    "promote": ("{none}", "--against", "{none}", "--data", "{none}"),
    "experiment": ("--exposures", "{none}", "--events", "{none}"),
    "evaluate-policy": ("{none}", "--exposures", "{none}", "--reward", "click", "--policy", "default"),
    "inspect": ("{none}",),
    "report": ("{none}",),
    "plan": ("--costs", "{none}"),
    "schema": (),
}
"""What a command needs, so that one odd word more or another value is what stops it."""


@pytest.fixture
def places(tmp_path):
    """Paths by name: a folder, an empty file, a config, what is not there, and what cannot be."""
    written(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = {"config": "config.yaml", "new": "new", "none": "none", "below": "file/below"}
    names |= {name: name for name in ("file", "folder", "binary", "loop")}
    return {name: str(tmp_path / path) for name, path in names.items()}


def odd_command(seed: int, places: dict[str, str]) -> list[str]:
    """The words of a command line that never trains: the log is not there, or is no log."""
    random = Random(seed)
    command = random.choice(COMMANDS)
    words = [word.format(**places) for word in NEEDED[command]]
    odd = [*VALUES, *(path for name, path in places.items() if name != "new")]
    for _ in range(random.choice((1, 1, 2, 3))):
        change = random.randrange(4)
        place = random.randrange(len(words)) if words else 0
        if change == 0 and words and command != "simulate":
            words[place] = random.choice(odd)
        elif change == 1 and words and command != "simulate":
            del words[place]
        elif change == 2:
            words += [random.choice([o for o in OPTIONS if command != "simulate" or o not in ("--output", "-o")])]
            words += [random.choice(odd)] if random.random() < 0.8 else []
        else:
            words.insert(place, random.choice(odd))
    return [command, *words]


@pytest.mark.parametrize("start", range(0, 150, 50))
def test_odd_commands_end_with_a_message(places, tmp_path, monkeypatch, start):
    monkeypatch.chdir(tmp_path / "folder")
    monkeypatch.delenv("RANKER_DATA", raising=False)
    console.width = 160
    wrong = {}
    for seed in range(start, start + 50):
        words = odd_command(seed, places)
        ended = CliRunner().invoke(app, words)
        said = ended.stderr.strip() or ended.stdout.strip()
        if ended.exit_code not in (0, 1, 2, 3) or "Traceback" in ended.output or not said:
            wrong[seed] = (words, ended.exit_code, repr(ended.exception), ended.output[-500:])
    assert wrong == {}
