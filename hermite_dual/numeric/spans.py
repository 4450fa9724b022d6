"""Ranges of rows that are worked on together."""


def spans(count: int, size: int) -> list[slice]:
    """Cut `count` rows into ranges of `size`, the last one perhaps shorter."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
