"""The lines that are counted are those that ran."""

import importlib.machinery
from pathlib import Path
from types import ModuleType

from kit import counting

SOURCE = '''"""Said once."""

from __future__ import annotations


def plain(function):
    """Said of it."""
    return function


@plain
def tried(value):
    try:
        number = int(value)
    except TypeError:
        return "no text"
    except ValueError:
        return "no number"
    else:
        match number:
            case 0:
                return "none"
            case _:
                pass
    finally:
        value = ""
    for _ in range(number):
        if number > 5:
            continue
        elif number > 3:
            break
    return (
        "many"
    )


class Kept:
    """Said of a class."""

    field = 1
    """Said of a field."""
'''
ALWAYS = {3, 6, 8, 11, 12, 13, 14, 26, 37, 40, 41}


def ran(folder: Path, value: object) -> set[int]:
    file = folder / "counted.py"
    file.write_text(SOURCE, "utf-8")
    loader = counting.Counting("counted", str(file))
    module = ModuleType("counted")
    module.__spec__ = importlib.machinery.ModuleSpec("counted", loader)
    loader.exec_module(module)
    assert module.tried.__doc__ is None
    assert module.plain.__doc__ == "Said of it."
    module.tried(value)
    return set(counting.SEEN.pop(str(file)))


def test_what_ran_is_noted_and_nothing_else(tmp_path: Path) -> None:
    assert ran(tmp_path, None) == ALWAYS | {15, 16}
    assert ran(tmp_path, "x") == ALWAYS | {17, 18}
    assert ran(tmp_path, "0") == ALWAYS | {20, 21, 22}
    assert ran(tmp_path, "2") == ALWAYS | {20, 23, 24, 27, 28, 30, 32}
    assert ran(tmp_path, "4") == ALWAYS | {20, 23, 24, 27, 28, 30, 31, 32}
    assert ran(tmp_path, "6") == ALWAYS | {20, 23, 24, 27, 28, 29, 32}
