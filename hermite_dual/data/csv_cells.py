"""Text in cells of comma-separated values that no spreadsheet runs."""

_RUN = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets take for a formula."""


def inert(value: object) -> object:
    """Return a cell as it is, or text that a spreadsheet would run behind an apostrophe; numbers stay numbers."""
    if not isinstance(value, str) or not value.lstrip().startswith(_RUN):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value
