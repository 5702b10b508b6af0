"""Checks of arguments. They are in the lowest package because all others use them.

A check takes the name and the value of an argument. It returns the value as Python's own type, so that NumPy's numbers,
arrays, Series and paths can be passed wherever a number, a list or a text is expected, or it raises a ValueError.
"""

import collections.abc
import dataclasses
import functools
import inspect
import math
import numbers
import os
import pathlib
import typing

import numpy as np


def checked(**checks):
    """Decorate a function whose arguments are checked before it is called.

    Args:
        **checks: Check of each argument by its name. Default values are not checked.

    Example:

    >>> @checked(class_names=class_names, num_movies=count, seed=seed)
    ... def sample(class_names, num_movies, *, seed=0): ...
    """

    def decorate(function):
        """Return the function with checks of its arguments."""
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args, **kwargs):
            """Call the function with checked arguments."""
            try:
                bound = signature.bind_partial(*args, **kwargs)
            except TypeError:
                bound = None
            if bound is None:
                return function(*args, **kwargs)  # Python's own message names the unknown argument
            for name, value in bound.arguments.items():
                if name in checks:
                    bound.arguments[name] = checks[name](name, value)
            return function(*bound.args, **bound.kwargs)

        return call

    return decorate


def optional(check):
    """Return a check that also accepts `None`."""
    return lambda name, value: None if value is None else check(name, value)


def each(check):
    """Return the check of a list whose items pass another check; it becomes a tuple."""
    return lambda name, value: tuple(check(name, item) for item in sequence(name, value))


def refuse(name, expected, value):
    """Raise a ValueError that names an argument, the allowed values and the received one."""
    shown = repr(value)
    if len(shown) > 200 or "\n" in shown:
        shown = f"a {type(value).__name__}"
    raise ValueError(f"`{name}` must be {expected}. Received: {name}={shown}")


def integer(name, value, least=None, most=None):
    """Check an integer from `least` to `most`. Booleans are no integers."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        refuse(name, "an integer", value)
    if (least is not None and value < least) or (most is not None and value > most):
        refuse(name, f"{least} or more" if most is None else f"{least} … {most}", value)
    return int(value)


natural = functools.partial(integer, least=0)
count = functools.partial(integer, least=1)
folds = functools.partial(integer, least=2)
seed = functools.partial(integer, least=0, most=2**32 - 1)


def number(name, value):
    """Check a finite int or float."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
        refuse(name, "a finite number", value)
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def fraction(name, value):
    """Check a number from 0 to less than 1."""
    if not 0 <= number(name, value) < 1:
        refuse(name, "a fraction from 0 to less than 1", value)
    return number(name, value)


def flag(name, value):
    """Check a bool."""
    if not isinstance(value, bool | np.bool_):
        refuse(name, "True or False", value)
    return bool(value)


def text(name, value):
    """Check a str, or convert a path to it."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str):
        refuse(name, "a text", value)
    return str(value)


def choice(*allowed):
    """Return the check of a text that must be one of the given ones."""

    def check(name, value):
        """Raise a ValueError unless the value is one of the allowed texts."""
        if not isinstance(value, str) or value not in allowed:
            refuse(name, " or ".join(map(repr, allowed)) if len(allowed) == 2 else f"one of {allowed}", value)
        return str(value)

    return check


def path(name, value):
    """Check a path, which becomes a `pathlib.Path`."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        refuse(name, "a path", value)
    return pathlib.Path(os.path.expanduser(value))


def instance(kind, expected=None):
    """Return the check of an object of a class, or of one of several."""

    def check(name, value):
        """Raise a ValueError unless the value is an object of the class."""
        if not isinstance(value, kind):
            refuse(name, expected or f"a {kind.__name__}", value)
        return value

    return check


def function(name, value):
    """Check a function."""
    if not callable(value):
        refuse(name, "a function", value)
    return value


def sequence(name, value, expected="a list", items=object):
    """Check a list or another iterable, which becomes a list.

    Texts, paths, dicts and sets are refused, because they have no parts or no order.

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


def paths(name, value):
    """Check a list of paths, which are returned as they are."""
    return sequence(name, value, "a list of paths, such as ['poster.jpg']", str | os.PathLike)


def names(name, value, expected="a list of different names", least=1):
    """Check a list of different str, which becomes a tuple.

    Args:
        name: Name of the argument.
        value: List, tuple, array, Series, Index or other iterable of str.
        expected: Description of the allowed values.
        least: Minimum number of names. Defaults to 1.

    Raises:
        ValueError: If the value is a single str or has no order, or its items are not different str.
    """
    found = tuple(map(str, sequence(name, value, expected, str)))
    if not len(set(found)) == len(found) >= least or not all(map(str.strip, found)):
        refuse(name, expected, found)
    return found


genres = functools.partial(names, expected="a list of different genres")


def selection(name, value, expected="a list of names"):
    """Check a list or set of str in any order, which becomes a list."""
    return sequence(name, sorted(value, key=str) if isinstance(value, set | frozenset) else value, expected, str)


def size(name, value, expected="(height, width) in pixels"):
    """Check `(height, width)`, which becomes a tuple of two positive int."""
    sides = sequence(name, value, expected, numbers.Integral)
    if len(sides) != 2 or any(isinstance(side, bool) or side < 1 for side in sides):
        refuse(name, expected, value)
    return tuple(map(int, sides))


def table(*columns, empty=True):
    """Return the check of a DataFrame that has the given columns and, unless `empty`, at least one row."""

    def check(name, value):
        """Raise a ValueError unless the value is a DataFrame with the columns."""
        if not hasattr(value, "columns"):
            refuse(name, "a DataFrame", value)
        if not empty and not len(value):
            raise ValueError(f"`{name}` must have at least one row. Received: an empty table")
        if missing := [column for column in columns if column not in value.columns]:
            needed = " and ".join(f"`{column}`" for column in columns)
            raise ValueError(f"`{name}` must have the columns {needed}. Received: without {missing}")
        return value

    return check


def columns(table, **chosen):
    """Raise a ValueError unless each of the given arguments is the name of a column, or `None`."""
    for name, value in chosen.items():
        if value is not None and value not in list(table.columns):
            refuse(name, f"one of the columns {list(table.columns)}", value)


def numeric(name, value):
    """Check numbers of any shape, which become an array."""
    try:
        array = np.asarray(value)
        array = array.astype(float) if array.dtype == object else array
    except (TypeError, ValueError):  # rows of different lengths, or no numbers
        array = np.array("")
    if array.dtype.kind not in "biuf":
        refuse(name, "an array of numbers", value)
    return array


def series(name, value, expected="a Series over the index of the table"):
    """Check a Series."""
    if not hasattr(value, "reindex") or getattr(value, "ndim", None) != 1:
        refuse(name, expected, value)
    return value


def shares(name, value, *, expected="2 or 3 positive shares that sum to 1", lengths=(2, 3)):
    """Check a list of positive numbers that sum to 1, which becomes a tuple."""
    found = tuple(map(float, sequence(name, value, expected, numbers.Real)))
    if len(found) not in lengths or not min(found) > 0 or not abs(sum(found) - 1) <= 1e-6:
        refuse(name, expected, found)
    return found


def groups(name, value):
    """Check a dict of a name -> list of different names, which become tuples."""
    if not isinstance(value, collections.abc.Mapping):
        refuse(name, "a dict of a name -> list of different names", value)
    return {text(name, key): names(name, parts) for key, parts in value.items()}


def dicts(name, value):
    """Check a dict of a name -> dict."""
    for key, item in instance(collections.abc.Mapping, "a dict of a name -> dict")(name, value).items():
        instance(collections.abc.Mapping, "a dict")(f"{name}[{text(name, key)!r}]", item)
    return value


def options(name, value):
    """Check a dict whose items can be written to JSON."""
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


_CHECKS = {int: integer, float: number, bool: flag, str: text, dict: options}


def convert(config):
    """Convert the attributes of a dataclass to the types of their annotations, except for those of other types.

    Args:
        config: Dataclass, perhaps frozen.

    Returns:
        The same object.

    Raises:
        ValueError: If an attribute has another type.
    """
    for item in dataclasses.fields(config):
        kind, *others = typing.get_args(item.type) or (item.type,)
        value = getattr(config, item.name)
        if kind in _CHECKS and not (others and value is None):
            object.__setattr__(config, item.name, _CHECKS[kind](item.name, value))
    return config
