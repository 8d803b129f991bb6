"""What steps log, kept on a server until the chief has read it: the worker that took the step may be gone by then."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class StepLogs:
    """Logs of the latest ``slots`` steps, as text; created in the scope of the strategy.

    TensorFlow's coordinator leaves the results of a step in its worker's memory. If the worker ends before they are
    fetched, the step is done, and what it logged is lost.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._texts = tf.Variable(tf.fill([slots], ""), trainable=False, name="step_logs")

    def write(self, step: tf.Tensor, logs: Mapping[str, tf.Tensor]) -> None:
        """Keep the logs of a step, tensors by name; in the worker."""
        parts = [tf.stack([name, value.dtype.name, tf.io.serialize_tensor(value)]) for name, value in logs.items()]
        text = tf.io.serialize_tensor(tf.stack(parts))
        place = tf.cast(step % self._slots, tf.int32)
        tf.raw_ops.ResourceScatterUpdate(resource=self._texts.handle, indices=place[None], updates=text[None])

    def read(self, step: int) -> dict[str, NDArray[np.generic]]:
        """The logs of a step that is done; in the chief."""
        text = self._texts.sparse_read([step % self._slots])[0]
        parts = tf.io.parse_tensor(text, tf.string).numpy()
        return {
            name.decode(): tf.io.parse_tensor(payload, tf.as_dtype(kind.decode())).numpy()
            for name, kind, payload in parts
        }
