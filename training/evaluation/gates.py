"""What gates do with real rows: whom they listen to, how sharply, and which experts are alike or silent."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.layers import Gate, GateReading, watching
from ranker.model import RankingModel
from training.data.batches import EncodedRows
from training.data.encode import GROUP

ROWS = 2048
"""Validation rows that are looked at: enough for means, few enough to cost nothing beside an epoch."""
COMPARED = 256
"""Of these, rows on which experts' outputs are compared, all pairs of them."""
UNHEARD = 0.1
ALIKE = 0.98
SILENT = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GateView:
    """One gate: mean weight of each expert [K], and the mean entropy of a row's weights, from 0 (one) to 1 (even)."""

    gate: str
    experts: tuple[str, ...]
    weights: tuple[float, ...]
    entropy: float


@dataclass(frozen=True)
class GateReport:
    """All gates of a model on the same rows.

    ``similarity`` holds, for each two experts that some gate weighs against each other, how alike their outputs are:
    linear centred kernel alignment, 1 for outputs equal up to rotation and scale (Kornblith et al., ICML 2019).
    ``silence`` is the share of an expert's outputs that are 0.
    """

    gates: tuple[GateView, ...]
    similarity: dict[str, dict[str, float]]
    silence: dict[str, float]

    def warnings(self) -> list[str]:
        """A line for each sign that experts have collapsed, with what to try."""
        lines = []
        for expert, heard in self._most_heard().items():
            if heard < UNHEARD:
                lines.append(
                    f"expert {expert} gets less than a tenth of an even share from every gate: try gate.dropout: 0.1, "
                    "a gate.temperature above 1, or fewer experts"
                )
        for first, others in self.similarity.items():
            for second, alike in others.items():
                if alike > ALIKE:
                    lines.append(
                        f"experts {first} and {second} say the same (similarity {alike:.3f}): try fewer experts, "
                        "gate.kind: top_k, or architecture: home"
                    )
        for expert, share in self.silence.items():
            if share > SILENT:
                lines.append(
                    f"expert {expert} is silent: {share:.0%} of its outputs are 0; try activation: swish, a lower "
                    "learning rate, or architecture: home, whose experts are normalised"
                )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        gates = [
            {"gate": g.gate, "weights": dict(zip(g.experts, g.weights, strict=True)), "entropy": g.entropy}
            for g in self.gates
        ]
        return {"gates": gates, "similarity": self.similarity, "silence": self.silence, "warnings": self.warnings()}

    def _most_heard(self) -> dict[str, float]:
        """The largest share of any gate's weight that each expert gets, relative to an even share of 1 / K."""
        heard: dict[str, float] = {}
        for view in self.gates:
            for expert, weight in zip(view.experts, view.weights, strict=True):
                heard[expert] = max(heard.get(expert, 0.0), weight * len(view.experts))
        return heard


def look(model: RankingModel, rows: EncodedRows) -> GateReport:
    """Run some rows through a model, eagerly, and report on its gates; without gates the report is empty."""
    if not any(isinstance(part, Gate) for part in model.submodules):
        return report([])
    chunk = next(rows.chunks())
    batch = {n: tf.constant(a[:ROWS]) for n, a in chunk.items() if n not in (GROUP, "labels", "known")}
    with watching() as seen:
        model(batch)
    return report(seen)


def report(readings: list[GateReading]) -> GateReport:
    """Summarise readings. Experts are told apart by their outputs: one that several gates weigh counts once."""
    names: dict[int, str] = {}
    outputs: dict[str, Floats] = {}
    for reading in readings:
        for expert, output in zip(reading.experts, reading.outputs, strict=True):
            if id(output) not in names:
                names[id(output)] = _unused(expert, outputs)
                outputs[names[id(output)]] = np.asarray(output, dtype=np.float64)
    gates = []
    pairs: dict[str, dict[str, float]] = {}
    alike, place = alignments(list(outputs.values())), {name: i for i, name in enumerate(outputs)}
    for reading in readings:
        experts = tuple(names[id(output)] for output in reading.outputs)
        weights = np.asarray(reading.weights, dtype=np.float64)
        gates.append(GateView(reading.gate, experts, tuple(weights.mean(axis=0).tolist()), _entropy(weights)))
        for first, second in combinations(experts, 2):
            known = pairs.setdefault(first, {})
            if second not in known and first not in pairs.get(second, {}):
                known[second] = float(alike[place[first], place[second]])
    silence = {name: float((output == 0).mean()) for name, output in outputs.items()}
    return GateReport(tuple(gates), {first: others for first, others in pairs.items() if others}, silence)


def alignments(outputs: list[Floats]) -> NDArray[np.float32]:
    """Linear centred kernel alignment of E experts' outputs, [B, H] each: [E, E] in [0, 1], 0 for a constant one."""
    if not outputs:
        return np.zeros((0, 0), dtype=np.float32)
    # By their kernels over rows, so that all pairs are one product: <K_x, K_y> / (|K_x| |K_y|).
    kernels = []
    for output in outputs:
        centred = output[:COMPARED] - output[:COMPARED].mean(axis=0)
        kernel = (centred @ centred.T).ravel()
        scale = np.linalg.norm(kernel)
        kernels.append((kernel / scale if scale > 0 else kernel).astype(np.float32))
    stacked = np.stack(kernels)
    alike: NDArray[np.float32] = np.clip(stacked @ stacked.T, 0.0, 1.0)
    return alike


def _entropy(weights: Floats) -> float:
    experts = weights.shape[1]
    if experts == 1:
        return 0.0
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return float(-(weights * logs).sum(axis=1).mean() / np.log(experts))


def _unused(name: str, taken: dict[str, Floats]) -> str:
    """The name, or with a number where another expert, of another level, has it."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate
