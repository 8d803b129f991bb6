"""The lists of a batch's rows: sums and maxima by list, pairs of rows, ranks."""

from __future__ import annotations

from ranker.lazy_tensorflow import tf

LISTS = "lists"
"""Name of a batch's array of list keys [B]; rows of key 0 are in no list."""


class Lists:
    """R rows in G lists, in any order.

    Attributes
    ----------
    codes
        The list of each row [R], from 0 to G - 1.
    count
        G.
    """

    def __init__(self, keys: tf.Tensor) -> None:
        """Number the lists of keys [R]; rows with equal keys are one list."""
        distinct, self.codes = tf.unique(keys)
        self.count = tf.size(distinct)

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        """Sums [G] of values [R] by list."""
        return tf.math.unsorted_segment_sum(values, self.codes, self.count)

    def greatest(self, values: tf.Tensor) -> tf.Tensor:
        """Maxima [G] of values [R] by list."""
        return tf.math.unsorted_segment_max(values, self.codes, self.count)

    def of(self, values: tf.Tensor) -> tf.Tensor:
        """Values [R] of each row's list, from values [G]."""
        return tf.gather(values, self.codes)

    def sizes(self) -> tf.Tensor:
        """Number of rows of each list [G]."""
        return self.sum(tf.ones_like(self.codes))

    def differ(self, values: tf.Tensor) -> tf.Tensor:
        """1 for a list whose values [R] are not all equal, else 0 [G]."""
        return tf.cast(self.greatest(values) > -self.greatest(-values), tf.float32)

    def log_sum_exp(self, values: tf.Tensor) -> tf.Tensor:
        """``log(sum(exp(values)))`` [G] of values [R] by list."""
        top = tf.stop_gradient(self.greatest(values))
        return tf.math.log(self.sum(tf.exp(values - self.of(top)))) + top

    def pairs(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Indices [P] of the first and second row of each ordered pair in a list, rows with themselves included.

        P is the sum of the squares of the lists' sizes: nothing is padded to the longest list.
        """
        order = tf.argsort(self.codes, stable=True)
        sizes = self.sizes()
        of_row = tf.gather(sizes, tf.gather(self.codes, order))
        starts = tf.gather(tf.cumsum(sizes, exclusive=True), tf.gather(self.codes, order))
        before = tf.cumsum(of_row, exclusive=True)
        first = tf.repeat(tf.range(tf.size(order)), of_row)
        second = tf.range(tf.size(first)) - tf.gather(before, first) + tf.gather(starts, first)
        return tf.gather(order, first), tf.gather(order, second)

    def ranks(self, values: tf.Tensor, pairs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Ranks [R] of the rows in their lists by values [R], from 1 for the highest; of equal ones the earlier first.

        ``pairs`` are those of :meth:`pairs`.
        """
        first, second = pairs
        own, other = tf.gather(values, first), tf.gather(values, second)
        ahead = (other > own) | ((other == own) & (second < first))
        return 1.0 + tf.math.unsorted_segment_sum(tf.cast(ahead, values.dtype), first, tf.size(self.codes))
