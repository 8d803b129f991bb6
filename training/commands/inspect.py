"""Shows an artifact's blocks and gates, and how its rankings agree in the precisions of this machine."""

from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from ranker.artifact import Artifact, load
from ranker.engines import DEFAULTS, ENGINES, EngineError, EngineOptions
from ranker.inference.agreement import measure
from ranker.inference.sample import read_sample
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
    gates = artifact.manifest.gates
    if gates.get("gates"):
        console.print(gates_table(gates))
        for warning in gates["warnings"]:
            console.print(warning, style="yellow", markup=False)
    for line in precision_lines(artifact):
        console.print(line, markup=False)
    return summary


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
