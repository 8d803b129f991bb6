"""Shows an artifact's blocks and gates, and how its rankings agree in the precisions of this machine."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import onnx
from rich.console import Console

from ranker.artifact import Artifact, load
from ranker.engines import DEFAULTS, ENGINES, EngineError, EngineOptions
from ranker.engines.onnx_context_rows import with_context_rows
from ranker.engines.onnx_stacking import stacked
from ranker.engines.row_tables import described
from ranker.inference.agreement import Agreement, measure
from ranker.inference.sample import read_sample
from training.config.experiment import Experiment
from training.display import blocks_table, gates_table
from training.evaluation.model_summary import Block, blocks
from training.reports.position import TITLES
from training.trainer.build_model import build_model
from training.trainer.table_sizes import mebibytes


def inspect_artifact(path: Path, depth: int, console: Console) -> list[Block]:
    """Rebuild an artifact's model from its config and encoder; print and return its blocks."""
    artifact = load(path)
    model = build_model(Experiment.model_validate(artifact.manifest.experiment), artifact.encoder.layout)
    summary = blocks(model, depth)
    console.print(blocks_table(summary, str(artifact.folder)))
    if artifact.manifest.refit is not None:
        console.print(str(artifact.manifest.refit), markup=False)
    for line in _tables(artifact):
        console.print(line, markup=False, highlight=False)
    if (lists := list_line(artifact)) is not None:
        console.print(lists, markup=False, highlight=False)
    for line in position_lines(artifact):
        console.print(line, markup=False, highlight=False)
    console.print(_graph_line(artifact.model_path))
    gates = artifact.manifest.gates
    if gates.get("gates"):
        console.print(gates_table(gates))
        for warning in gates["warnings"]:
            console.print(warning, style="yellow", markup=False)
    for line in precision_lines(artifact):
        console.print(line, markup=False)
    return summary


def _tables(artifact: Artifact) -> Iterator[str]:
    """One line per table beside the graph, and the agreement of rounded rows."""
    tables = described(artifact.model_path)
    for feature, facts in tables["beside"].items():
        yield (
            f"table of {feature}: {facts['rows']:,} x {facts['width']} in {facts['precision']}, "
            f"{mebibytes(facts['size'])}, beside the graph"
        )
    if tables["agreement"] is not None:
        yield f"rounded rows: {Agreement(**tables['agreement'])}"
    yield f"model.onnx: {mebibytes(artifact.model_path.stat().st_size)}, with all other tables"


def list_line(artifact: Artifact) -> str | None:
    """How long lists were in training, to compare requests with; ``None`` without inputs within lists."""
    sizes = artifact.encoder.list_sizes
    if sizes is None:
        return None
    return f"lists in training: half have at most {sizes.median:,} candidates, 99 % at most {sizes.p99:,}"


def position_lines(artifact: Artifact) -> Iterator[str]:
    """The learnt effect of position by task, relative to the first place; none without a correction."""
    curve = artifact.manifest.metrics.get("position", {"tasks": {}})
    for task, found in curve["tasks"].items():
        key, title = next((key, title) for key, title in TITLES if key in found)
        values = zip(curve["positions"], found[key], strict=True)
        shown = ", ".join(f"{position}: {'-' if value is None else f'{value:.3f}'}" for position, value in values)
        end = " and later" if curve["shared"] else ""
        yield f"{task} by {curve['column']} ({curve['method']}), {title} place: {shown}{end}"


def _graph_line(path: Path) -> str:
    graph = onnx.load(str(path))
    try:
        merged = stacked(with_context_rows(graph))
    except Exception as error:  # the library's errors have no common base class
        return f"operations of the graph: {len(graph.graph.node)}; it cannot be stacked for a GPU: {error}"
    return f"operations of the graph: {len(graph.graph.node)}; stacked, for a GPU: {len(merged.graph.node)}"


def precision_lines(artifact: Artifact) -> list[str]:
    """For each engine that serving takes, and each device and precision it has here, how rankings agree."""
    requests = (*artifact.golden, *read_sample(artifact))
    lines = []
    for device, names in DEFAULTS.items() if requests else ():
        for name in filter(find_spec, names):
            for precision in ENGINES[name].precisions(device):
                try:
                    engine = ENGINES[name](artifact.model_path, EngineOptions(device, precision=precision))
                    found = str(measure(artifact, engine, requests))
                except EngineError as error:
                    found = str(error)
                lines.append(f"{name} on {device} in {precision}: {found}")
    return lines
