"""Text formulas, such as ``where(click == 1, log1p(dwell), 1)``, parsed by a closed grammar and run with NumPy.

A formula consists of numbers, names, ``+ - * / % **``, comparisons, ``and or not``, ``a if condition else b`` and
calls of :data:`FUNCTIONS`; ``name == "text"`` and ``name != "text"`` compare with text. No other Python syntax is
accepted: no attributes, subscripts, lambdas, keyword arguments or other calls. All numbers are 64-bit floats.

NaN stands for null and propagates through arithmetic and comparisons. As in SQL, ``and`` and ``or`` are known if one
side decides them (``0 and null`` is 0); ``where``, ``if``, ``coalesce`` and ``is_null`` can replace a null.
"""

from ranker.expressions.expression import Expression, ExpressionError
from ranker.expressions.functions import FUNCTIONS, Function
from ranker.expressions.parser import LONGEST, parse

__all__ = ["FUNCTIONS", "LONGEST", "Expression", "ExpressionError", "Function", "parse"]
