"""Modules that are slow to import, or that come with an extra: imported when first needed, by name."""

from importlib import import_module
from types import ModuleType

from muniment.kernel.problems import NotAvailable


def late(module: str, *, extra: str = "") -> ModuleType:
    """The module of that name.

    Raises NotAvailable, naming the `extra` to install, when it belongs to one that is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as absent:
        if not extra:
            raise
        raise NotAvailable(f"{module} is not installed: pip install 'muniment[{extra}]'") from absent
