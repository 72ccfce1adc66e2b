"""Heavy libraries, imported when first used: collecting the tests waits for none of them."""

from importlib import import_module


class lazily:  # noqa: N801  (reads as what it does)
    """Stands for a module until something of it is asked for."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("_"):  # pytest looks at whatever a test module has
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
