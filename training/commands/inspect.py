"""Shows an artifact's blocks and gates."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from rich.console import Console

from ranker.artifact import Artifact, load
from ranker.engines.onnx_context_rows import with_context_rows
from ranker.engines.onnx_stacking import stacked
from ranker.engines.row_tables import described
from ranker.inference.agreement import Agreement
from training.config.experiment import Experiment
from training.display import blocks_table, gates_table
from training.evaluation.model_summary import Block, blocks
from training.trainer.build_model import build_model
from training.trainer.table_sizes import mebibytes


def inspect_artifact(path: Path, depth: int, console: Console) -> list[Block]:
    """Rebuild an artifact's model from its config and encoder; print and return its blocks."""
    artifact = load(path)
    model = build_model(Experiment.model_validate(artifact.manifest.experiment), artifact.encoder.layout)
    summary = blocks(model, depth)
    console.print(blocks_table(summary, str(artifact.folder)))
    for line in _tables(artifact):
        console.print(line, markup=False, highlight=False)
    console.print(_graph_line(artifact.model_path))
    gates = artifact.manifest.gates
    if gates.get("gates"):
        console.print(gates_table(gates))
        for warning in gates["warnings"]:
            console.print(warning, style="yellow", markup=False)
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


def _graph_line(path: Path) -> str:
    graph = onnx.load(str(path))
    merged = stacked(with_context_rows(graph))
    return f"operations of the graph: {len(graph.graph.node)}; stacked, for a GPU: {len(merged.graph.node)}"
