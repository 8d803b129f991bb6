"""TensorFlow, imported when it is first used rather than when a module that uses it is.

Importing TensorFlow takes seconds, and a config is checked by options that stand beside the layers they configure.
Modules that a config reaches therefore take ``tf``, ``tfrs`` and base classes from here, and postpone the evaluation of
annotations (``from __future__ import annotations``). All others import TensorFlow as usual.
"""

import importlib
import inspect
import threading
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

__all__ = ["Layer", "Module", "as_graph", "do_not_convert", "tf", "tfrs"]

Method = TypeVar("Method", bound=Callable[..., Any])

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    Layer = tf.keras.layers.Layer
    Module = tf.Module

    def do_not_convert(method: Method) -> Method:
        """See below."""
        return method

    def as_graph(function: Method) -> Method:
        """See below."""
        return function
else:

    class _Deferred(ModuleType):
        """Imports the module of its name when an attribute is read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self.__name__), name)

    tf = _Deferred("tensorflow")
    tfrs = _Deferred("tensorflow_recommenders")

    class _DeferredBase:
        """A base class that stands for one of TensorFlow's, so that a class can be written before TensorFlow is there.

        Making the first instance of a subclass derives a class of the same name from it and from TensorFlow's class;
        all instances are of that class.
        """

        tensorflow_class: ClassVar[Callable[[], type]]

        def __new__(cls, *_: Any, **__: Any) -> Self:
            """Make an instance of the class that is derived from TensorFlow's."""
            whole = cls if issubclass(cls, cls.tensorflow_class()) else _derived(cls)
            return super(_DeferredBase, whole).__new__(whole)

    _deriving = threading.Lock()
    _classes: dict[type, type] = {}

    def _derived(cls: type[_DeferredBase]) -> type:
        with _deriving:
            if cls not in _classes:
                _classes[cls] = _new_class(cls)
            return _classes[cls]

    def _new_class(cls: type[_DeferredBase]) -> type:
        body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        return type(cls.__name__, (cls, cls.tensorflow_class()), body)

    class Layer(_DeferredBase):
        """``tf.keras.layers.Layer``."""

        tensorflow_class = staticmethod(lambda: tf.keras.layers.Layer)

    class Module(_DeferredBase):
        """``tf.Module``."""

        tensorflow_class = staticmethod(lambda: tf.Module)

    def do_not_convert(method: Method) -> Method:
        """``tf.autograph.experimental.do_not_convert``, applied when the method is called."""

        def deferred(*args: Any, **kwargs: Any) -> Any:
            return tf.autograph.experimental.do_not_convert(method)(*args, **kwargs)

        return _named_as(method, deferred)

    def as_graph(function: Method) -> Method:
        """Run a function of tensors as a graph if it is called eagerly, since an eager loop of small ops is slow.

        It is traced once for each combination of shapes and of Python values. Inside of a graph it is called as it is.
        """

        @cache
        def compiled() -> Method:
            return tf.function(function, autograph=False)

        def deferred(*args: Any, **kwargs: Any) -> Any:
            return compiled()(*args, **kwargs) if tf.executing_eagerly() else function(*args, **kwargs)

        return _named_as(function, deferred)

    def _named_as(method: Method, deferred: Method) -> Method:
        # Not functools.wraps: AutoGraph would then read the source of the method in place of the wrapper's.
        deferred.__name__, deferred.__qualname__, deferred.__doc__ = (
            method.__name__,
            method.__qualname__,
            method.__doc__,
        )
        deferred.__signature__ = inspect.signature(method)
        return deferred
