"""Gate statistics on validation rows: expert weights, entropy, similar and dead experts."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.layers import Gate, GateReading, watching
from ranker.model import INPUTS, RankingModel
from training.data.batches import EncodedRows

ROWS = 2048
"""Validation rows used: enough for stable means, few enough to be negligible next to an epoch."""
COMPARED = 256
"""Rows used to compare the outputs of all pairs of experts."""
UNUSED_SHARE = 0.1
SIMILAR = 0.98
SILENT = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GateView:
    """One gate: mean weight per expert [K], and mean entropy of the weights, from 0 (one expert) to 1 (uniform)."""

    gate: str
    experts: tuple[str, ...]
    weights: tuple[float, ...]
    entropy: float


@dataclass(frozen=True)
class GateReport:
    """All gates of a model on the same rows.

    ``similarity`` holds, for each pair of experts under a common gate, the similarity of their outputs: linear centred
    kernel alignment, 1 if equal up to rotation and scale (Kornblith et al., ICML 2019). ``silence`` is the fraction of
    an expert's outputs that are 0.
    """

    gates: tuple[GateView, ...]
    similarity: dict[str, dict[str, float]]
    silence: dict[str, float]

    def warnings(self) -> list[str]:
        """One line per sign of expert collapse, with what to try."""
        lines = []
        for expert, largest in self._largest_shares().items():
            if largest < UNUSED_SHARE:
                lines.append(
                    f"expert {expert} gets less than a tenth of a uniform weight at every gate: try gate.dropout: 0.1, "
                    "a gate.temperature above 1, or fewer experts"
                )
        for first, others in self.similarity.items():
            for second, similarity in others.items():
                if similarity > SIMILAR:
                    lines.append(
                        f"experts {first} and {second} are redundant (similarity {similarity:.3f}): try fewer experts, "
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

    def _largest_shares(self) -> dict[str, float]:
        """Each expert's largest mean weight over the gates, relative to a uniform weight of 1 / K."""
        largest: dict[str, float] = {}
        for view in self.gates:
            for expert, weight in zip(view.experts, view.weights, strict=True):
                largest[expert] = max(largest.get(expert, 0.0), weight * len(view.experts))
        return largest


def inspect_gates(model: RankingModel, rows: EncodedRows) -> GateReport:
    """Run some rows through a model eagerly and report on its gates; empty if it has none."""
    if not any(isinstance(part, Gate) for part in model.submodules):
        return report([])
    chunk = next(rows.chunks())
    batch = {n: tf.constant(a[:ROWS]) for n, a in chunk.items() if n in INPUTS}
    with watching() as seen:
        model(batch)
    return report(seen)


def report(readings: list[GateReading]) -> GateReport:
    """Summarise readings. Experts are identified by their output tensor, so one under several gates counts once."""
    names: dict[int, str] = {}
    outputs: dict[str, Floats] = {}
    for reading in readings:
        for expert, output in zip(reading.experts, reading.outputs, strict=True):
            if id(output) not in names:
                names[id(output)] = _unique(expert, outputs)
                outputs[names[id(output)]] = np.asarray(output, dtype=np.float64)
    gates = []
    pairs: dict[str, dict[str, float]] = {}
    similarity, index = alignments(list(outputs.values())), {name: i for i, name in enumerate(outputs)}
    for reading in readings:
        experts = tuple(names[id(output)] for output in reading.outputs)
        weights = np.asarray(reading.weights, dtype=np.float64)
        gates.append(GateView(reading.gate, experts, tuple(weights.mean(axis=0).tolist()), _entropy(weights)))
        for first, second in combinations(experts, 2):
            known = pairs.setdefault(first, {})
            if second not in known and first not in pairs.get(second, {}):
                known[second] = float(similarity[index[first], index[second]])
    silence = {name: float((output == 0).mean()) for name, output in outputs.items()}
    return GateReport(tuple(gates), {first: others for first, others in pairs.items() if others}, silence)


def alignments(outputs: list[Floats]) -> NDArray[np.float32]:
    """Linear centred kernel alignment [E, E] in [0, 1] of E experts' outputs [B, H]; 0 for a constant output."""
    if not outputs:
        return np.zeros((0, 0), dtype=np.float32)
    # Kernels over rows reduce all pairs to one product: <K_x, K_y> / (|K_x| |K_y|).
    kernels = []
    for output in outputs:
        centred = output[:COMPARED] - output[:COMPARED].mean(axis=0)
        kernel = (centred @ centred.T).ravel()
        scale = np.linalg.norm(kernel)
        kernels.append((kernel / scale if scale > 0 else kernel).astype(np.float32))
    stacked = np.stack(kernels)
    similarity: NDArray[np.float32] = np.clip(stacked @ stacked.T, 0.0, 1.0)
    return similarity


def _entropy(weights: Floats) -> float:
    experts = weights.shape[1]
    if experts == 1:
        return 0.0
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return float(-(weights * logs).sum(axis=1).mean() / np.log(experts))


def _unique(name: str, taken: dict[str, Floats]) -> str:
    """The name, numbered if an expert of another level already has it."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate
