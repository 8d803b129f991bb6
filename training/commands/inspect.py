"""Shows an artifact's blocks and gates."""

from pathlib import Path

import onnx
from rich.console import Console

from ranker.artifact import load
from ranker.engines.onnx_context_rows import with_context_rows
from ranker.engines.onnx_stacking import stacked
from training.config.experiment import Experiment
from training.display import blocks_table, gates_table
from training.evaluation.model_summary import Block, blocks
from training.trainer.build_model import build_model


def inspect_artifact(path: Path, depth: int, console: Console) -> list[Block]:
    """Rebuild an artifact's model from its config and encoder; print and return its blocks."""
    artifact = load(path)
    model = build_model(Experiment.model_validate(artifact.manifest.experiment), artifact.encoder.layout)
    summary = blocks(model, depth)
    console.print(blocks_table(summary, str(artifact.folder)))
    console.print(_graph_line(artifact.model_path))
    gates = artifact.manifest.gates
    if gates.get("gates"):
        console.print(gates_table(gates))
        for warning in gates["warnings"]:
            console.print(warning, style="yellow", markup=False)
    return summary


def _graph_line(path: Path) -> str:
    graph = onnx.load(str(path))
    merged = stacked(with_context_rows(graph))
    return f"operations of the graph: {len(graph.graph.node)}; stacked, for a GPU: {len(merged.graph.node)}"
