"""Reports of quality benchmarks: AUC per task and model, as a table on the terminal and as a JSON file."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Result of one model: AUC per task, and its given or chosen settings."""

    model: str
    auc: Mapping[str, float]
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def mean_auc(self) -> float:
        """Mean over the tasks."""
        return sum(self.auc.values()) / len(self.auc)


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of the named distributions."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def write(
    path: Path, *, benchmark: str, protocol: Mapping[str, object], packages: Sequence[str], results: list[Result]
) -> None:
    """Print the results and write them, with the protocol and the versions, to the JSON file `path`."""
    tasks = list(results[0].auc)
    table = Table("model", *tasks, "mean", title=f"{benchmark}: AUC")
    for result in results:
        table.add_row(result.model, *(f"{result.auc[task]:.4f}" for task in tasks), f"{result.mean_auc:.4f}")
    Console().print(table)
    write_json(
        path,
        {
            "benchmark": benchmark,
            "protocol": dict(protocol),
            "versions": versions(*packages),
            "results": [{**asdict(result), "mean_auc": result.mean_auc} for result in results],
        },
    )


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object to `path`, indented, creating its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
