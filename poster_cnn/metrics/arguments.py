"""Checks of arguments. They are in the lowest package because all others use them.

Each check returns the argument as Python's own type, so that numbers of NumPy, arrays, Series and paths can be passed
wherever a number, a list or a text is expected. Otherwise it raises a ValueError.
"""

import collections.abc
import math
import numbers
import os
import pathlib

import numpy as np


def refuse(name, expected, value):
    """Raise a ValueError that names an argument, the allowed values and the received one."""
    shown = repr(value)
    if len(shown) > 200 or "\n" in shown:
        shown = f"a {type(value).__name__}"
    raise ValueError(f"`{name}` must be {expected}. Received: {name}={shown}")


def integer(name, value, least=None, most=None, *, optional=False):
    """Return an argument as int.

    Args:
        name: Name of the argument.
        value: Its value.
        least: Smallest allowed value. Defaults to `None`: no limit.
        most: Largest allowed value; needs `least`. Defaults to `None`: no limit.
        optional: Whether `None` is allowed, and returned. Defaults to `False`.

    Raises:
        ValueError: If the value is no integer or is out of range. Booleans are no integers.
    """
    if value is None and optional:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        refuse(name, "an integer" + ", or None" * optional, value)
    if (least is not None and value < least) or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least} … {most}"
        refuse(name, allowed + ", or None" * optional, value)
    return int(value)


def number(name, value, *, optional=False):
    """Return an argument as a finite int or float; see `integer`."""
    if value is None and optional:
        return None
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
        refuse(name, "a finite number" + ", or None" * optional, value)
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def positive(name, value):
    """Return an argument as an int or float above 0; see `integer`."""
    if not number(name, value) > 0:
        refuse(name, "a positive number", value)
    return number(name, value)


def flag(name, value):
    """Return an argument as bool; see `integer`."""
    if not isinstance(value, bool | np.bool_):
        refuse(name, "True or False", value)
    return bool(value)


def text(name, value, *, optional=False):
    """Return an argument as str, also from a path; see `integer`."""
    if value is None and optional:
        return None
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str):
        refuse(name, "a text" + ", or None" * optional, value)
    return str(value)


def choice(name, value, allowed):
    """Return an argument that must be one of the allowed texts; see `integer`."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, " or ".join(map(repr, allowed)) if len(allowed) == 2 else f"one of {tuple(allowed)}", value)
    return str(value)


def path(name, value):
    """Return an argument as `pathlib.Path`; see `integer`."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        refuse(name, "a path", value)
    return pathlib.Path(value)


def sequence(name, value, expected, items=object):
    """Return an argument as list. Texts, paths, dicts and sets are no sequences, as they have no parts or no order.

    Args:
        name: Name of the argument.
        value: List, tuple, array, Series, Index or other iterable.
        expected: Description of the allowed values.
        items: Allowed type or types of the items. Defaults to `object`: any.

    Raises:
        ValueError: If the value is no sequence, or one of its items has another type.
    """
    refused = (str, bytes, os.PathLike, collections.abc.Mapping, set, frozenset)
    is_list = isinstance(value, collections.abc.Iterable) and not isinstance(value, refused)
    if not is_list or getattr(value, "ndim", 1) != 1:
        refuse(name, expected, value)
    found = list(value)
    if not all(isinstance(item, items) for item in found):
        refuse(name, expected, found)
    return found


def names(name, value, expected="a list of different names", least=1):
    """Return an argument as tuple of different str.

    Args:
        name: Name of the argument.
        value: List, tuple, array, Series, Index or other iterable of str.
        expected: Description of the allowed values.
        least: Minimum number of names. Defaults to 1.

    Raises:
        ValueError: If the value is a single str or has no order, or its items are not different str.
    """
    found = tuple(map(str, sequence(name, value, expected, str)))
    if not len(set(found)) == len(found) >= least:
        refuse(name, expected, found)
    return found


def class_names(value, least=1):
    """Return the argument `class_names` as tuple of different str; see `names`."""
    return names("class_names", value, "a list of different genres", least)


def size(name, value, expected="(height, width) in pixels"):
    """Return an argument `(height, width)` as tuple of two positive int; see `sequence`."""
    sides = sequence(name, value, expected, numbers.Integral)
    if len(sides) != 2 or any(isinstance(side, bool) or side < 1 for side in sides):
        refuse(name, expected, value)
    return tuple(map(int, sides))


def columns(name, table, needed):
    """Return an argument that must be a DataFrame with some columns, or raise a ValueError."""
    if not hasattr(table, "columns"):
        refuse(name, f"a DataFrame with the columns {', '.join(needed)}", table)
    if missing := [column for column in needed if column not in table.columns]:
        listed = " and ".join(f"`{column}`" for column in needed)
        raise ValueError(f"`{name}` must have the columns {listed}. Received: without {missing}")
    return table


def shares(name, value, expected):
    """Return an argument of positive numbers that sum to 1 as tuple; see `sequence`."""
    found = tuple(number(name, share) for share in sequence(name, value, expected, numbers.Real))
    if not found or min(found) <= 0 or abs(sum(found) - 1) > 1e-6:
        refuse(name, f"{expected}, each above 0 and 1 in all", value)
    return found


def groups(name, value):
    """Return an argument that must be a dict of a name -> list of different names, the latter as tuples."""
    if not isinstance(value, collections.abc.Mapping):
        refuse(name, "a dict of a name -> list of different names", value)
    return {text(name, key): names(name, parts) for key, parts in value.items()}


def options(name, value):
    """Return an argument that must be a dict whose items can be written to JSON; see `integer`."""
    if not isinstance(value, collections.abc.Mapping):
        refuse(name, "a dict", value)
    return _plain(name, value)


def _plain(name, value):
    if isinstance(value, collections.abc.Mapping):
        return {text(name, key): _plain(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (tuple if isinstance(value, tuple) else list)(_plain(name, item) for item in value)
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str | int | float | list | None):
        refuse(name, "made of texts, numbers, lists and dicts, which can be written to JSON", value)
    return value
