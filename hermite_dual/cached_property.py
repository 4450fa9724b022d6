"""A property computed once, for threads that wait for one another's working precision."""

import functools
from typing import Any, Self, TypeVar, overload

from hermite_dual.float_state import defaults

T = TypeVar("T")


class cached_property(functools.cached_property[T]):  # noqa: N801 (a decorator)
    """As `functools.cached_property` since Python 3.12: without a lock.

    That of Python 3.11 holds one lock for all instances while it computes. A thread inside it which waits for the
    precision, and one with the precision which asks another instance, would wait for one another for ever. Two threads
    may compute a value twice here, and the first one found stays.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        """The value kept by the instance, computed where there is none."""
        if instance is None:
            return self
        kept = instance.__dict__
        name = str(self.attrname)
        if name not in kept:
            with defaults():
                kept.setdefault(name, self.func(instance))
        return kept[name]
