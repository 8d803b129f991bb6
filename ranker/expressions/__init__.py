"""Formulas in text, such as ``where(click == 1, log1p(dwell), 1)``, parsed by a closed grammar to NumPy.

A formula is made of numbers, names, ``+ - * / % **``, comparisons, ``and or not``, ``a if condition else b`` and
calls of :data:`FUNCTIONS`; ``name == "text"`` and ``name != "text"`` compare with text. Nothing else of Python is
taken: no attribute, subscript, lambda, keyword, or other call. All numbers are 64-bit floats.

NaN stands for a null and spreads: what is computed or compared with it is NaN. As in SQL, ``and`` and ``or`` are known
where one side settles them (``0 and null`` is 0), and ``where``, ``if``, ``coalesce`` and ``is_null`` can replace it.
"""

from ranker.expressions.expression import Expression, ExpressionError
from ranker.expressions.functions import FUNCTIONS, Function
from ranker.expressions.parser import LONGEST, parse

__all__ = ["FUNCTIONS", "LONGEST", "Expression", "ExpressionError", "Function", "parse"]
