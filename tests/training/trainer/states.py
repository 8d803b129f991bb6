"""What an artifact keeps of a trained model for a later fit, as arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.earlier import StateFacts
from training.trainer.carry_on import state_of


def state_arrays(*model: Any) -> tuple[StateFacts, dict[str, NDArray[Any]]]:
    """The facts, and the values of variables and moments by name; arguments are those of ``state_of``."""
    facts, variables = state_of(*model)
    whole = {name: np.concatenate([np.atleast_1d(part) for part in rows.parts()]) for name, rows in variables.items()}
    return facts, {name: values.reshape(variables[name].shape) for name, values in whole.items()}
