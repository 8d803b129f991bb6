"""Measurements and requirements of a test, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Verdict:
    """One command's measurements and requirements."""

    name: str
    measured: dict[str, Any]
    bounds: dict[str, bool]

    @property
    def holds(self) -> bool:
        """Whether all requirements hold."""
        return all(self.bounds.values())


def show(verdict: Verdict) -> None:
    """Print a verdict."""
    table = Table(title=f"under fire: {verdict.name}", show_header=False)
    for name, value in verdict.measured.items():
        table.add_row(name, str(value))
    table.add_section()
    for bound, holds in verdict.bounds.items():
        table.add_row(bound, "[green]holds[/]" if holds else "[bold red]FAILS[/]")
    Console().print(table)


def write(verdicts: Sequence[Verdict], file: Path | None) -> None:
    """Write verdicts as JSON, if a file is given."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({v.name: {**asdict(v), "holds": v.holds} for v in verdicts}, indent=2))


def quantile(values: NDArray[np.float64], q: float) -> float:
    """A quantile, or NaN without values, which fails every comparison."""
    return round(float(np.quantile(values, q)), 2) if len(values) else float("nan")


def times(values: NDArray[np.float64]) -> dict[str, float]:
    """Quantiles of milliseconds."""
    return {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "max": quantile(values, 1.0)}
