"""The trained model with products in bfloat16, to tell at export how far rankings would agree with those of float32."""

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, scratch
from ranker.encoding import Packed
from ranker.inference.agreement import Agreement, measure
from ranker.inference.sample import read_sample
from ranker.layers import products_in
from ranker.model import INPUTS, RankingModel, read_inputs, served
from training.disk_full import disk_full_as
from training.export.tables import DEFAULT, TableOptions, beside, rounded


class RoundedProducts:
    """A Keras model as an engine that rounds the factors and results of dense layers' products to bfloat16.

    It needs no processor with bfloat16. A serving engine rounds more, such as activations, or less; it is measured
    itself when it loads.
    """

    name = "keras"
    sizes: tuple[int, ...] = ()
    precision = "bfloat16"

    def __init__(self, model: RankingModel) -> None:
        self._model = model
        with products_in("bfloat16"):
            self._score = served(model).get_concrete_function()

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        arrays = dict(zip(INPUTS, packed, strict=True))
        scores: NDArray[np.float32] = self._score(**read_inputs(self._model, arrays))["scores"].numpy()
        return scores


def rounded_agreement(artifact: Artifact, model: RankingModel, tables: TableOptions = DEFAULT) -> Agreement:
    """Agreement on the artifact's golden requests and sample of the ``model`` that it was exported from, rounded.

    ``tables`` are those of the export: rows take the values that were stored. Raises ``DiskFullError``.
    """
    root, requests = artifact.folder.parent, (*artifact.golden, *read_sample(artifact))
    full = f"{root}: no space left on the disk to measure bfloat16; {artifact.folder} is exported"
    with disk_full_as(full), scratch(root) as exact, rounded(model, beside(model, tables), tables.precision, exact):
        return measure(artifact, RoundedProducts(model), requests)
