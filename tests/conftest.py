"""The order of tests."""


def pytest_collection_modifyitems(config, items):
    """Slow tests first where processes share them, so that all end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
