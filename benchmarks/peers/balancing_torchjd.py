"""TorchJD's methods for balancing four tasks on an MMoE in PyTorch, for balancing_cost."""

import itertools
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from torchjd.aggregation import UPGrad, UPGradWeighting
from torchjd.autogram import Engine
from torchjd.autojac import jac_to_grad, mtl_backward

from benchmarks.balancing_setup import SETUP, batches
from benchmarks.training_speed_setup import serve


class MMoE(nn.Module):
    """MMoE: experts, and a softmax gate and a tower per task. Ma et al., KDD 2018."""

    def __init__(self) -> None:
        super().__init__()
        width = SETUP.categorical * SETUP.dimension + SETUP.numeric
        self.experts = nn.ModuleList(_layers(width, SETUP.expert_units) for _ in range(SETUP.experts))
        self.gates = nn.ModuleList(nn.Linear(width, SETUP.experts) for _ in SETUP.tasks)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Map inputs [B, D] to a mixture [B, E] for each task."""
        experts = torch.stack([expert(inputs) for expert in self.experts], dim=1)
        return [(gate(inputs).softmax(dim=1).unsqueeze(2) * experts).sum(dim=1) for gate in self.gates]


def _layers(width: int, units: tuple[int, ...], *, logit: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in units:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, *([nn.Linear(width, 1)] if logit else []))


def main(way: Annotated[str, typer.Option(help="plain, mtl_backward, sequential or engine.")]) -> None:
    """Train a segment for each line of standard input."""
    torch.set_num_threads(SETUP.threads)
    torch.manual_seed(0)
    table = nn.Embedding(SETUP.categorical * SETUP.vocabulary, SETUP.dimension)
    trunk = MMoE()
    towers = nn.ModuleList(_layers(SETUP.expert_units[-1], SETUP.tower_units, logit=True) for _ in SETUP.tasks)
    every = [parameter for module in (table, trunk, towers) for parameter in module.parameters()]
    optimizer = torch.optim.Adam(every, lr=SETUP.learning_rate)
    error = nn.BCEWithLogitsLoss()
    prepared = [tuple(torch.from_numpy(part) for part in batch) for batch in batches()]
    coming = itertools.cycle(prepared)
    shared = [*table.parameters(), *trunk.parameters()]
    engine = Engine(trunk, batch_dim=None) if way == "engine" else None  # its hooks slow every forward pass
    weigh, aggregate = UPGradWeighting(), UPGrad()

    def plain(losses: list[Tensor], _: list[Tensor]) -> None:
        torch.stack(losses).sum().backward()

    def of_task(chunk: int | None) -> Callable[[list[Tensor], list[Tensor]], None]:
        def backward(losses: list[Tensor], features: list[Tensor]) -> None:
            mtl_backward(losses, features=features, parallel_chunk_size=chunk)
            jac_to_grad(shared, aggregate)

        return backward

    def by_gramian(losses: list[Tensor], _: list[Tensor]) -> None:
        assert engine is not None
        vector = torch.stack(losses)
        vector.backward(weigh(engine.compute_gramian(vector)))

    ways = {"plain": plain, "mtl_backward": of_task(None), "sequential": of_task(1), "engine": by_gramian}
    backward = ways[way]

    def train(count: int) -> int:
        for ids, numbers, labels in itertools.islice(coming, count):
            embedded = table(ids.long()).flatten(1)
            features = trunk(torch.cat([embedded, numbers], dim=1))
            logits = [tower(part)[:, 0] for tower, part in zip(towers, features, strict=True)]
            losses = [error(logit, labels[:, i]) for i, logit in enumerate(logits)]
            optimizer.zero_grad()
            backward(losses, features)
            optimizer.step()
        return count * SETUP.batch_size

    parameters = sum(each.numel() for each in every)
    serve(side=way, rows=SETUP.batch_size * SETUP.batches, parameters=parameters, train=train)


if __name__ == "__main__":
    typer.run(main)
