"""Errors of the library in the words of a command: options instead of arguments of Python."""

import ast
import re

# Arguments whose option has another name. All others are found by their own, such as `batch_size` for --batch-size.
_OTHER_NAMES = {
    "claimed": "claim",
    "class_names": "genres",
    "classifier_activation": "head",
    "image_size": "image_size",
    "input_shape": "image_size",
    "labels": "data",
    "posters_dir": "posters",
    "out_dir": "out",
    "run_dir": "out",
    "num_workers": "workers",
    "num_movies": "sample",
    "manifest_path": "manifest",
    "repaired_dir": "repaired",
    "callbacks": "tensorboard",
}
_VALUE = r"""(?:'[^']*'|"[^"]*"|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|True|False|None|-?[\d.]+(?:e-?\d+)?)(?!\w)"""
_ARGUMENT = re.compile(rf"(?<!column )(?<!dataset )`(\w+)`|(?<![^\s(])(\w+)=({_VALUE})(?!/)")
_TWICE = re.compile(r"(`?)(--[\w-]+(?: \w+)?)\1(?: \(\2\)|,? or \2\b)")  # messages may name an option themselves


def name_options(message, parser, options):
    """Return a message with the options that the user types in place of arguments and their values.

    Args:
        message: Text of an error, with arguments such as `class_names`, or class_names=('Horror',).
        parser: Parser of the command; arguments that it has no option for stay as they are.
        options: Namespace of the parsed options.
    """
    known = {action.dest: action for action in parser._actions}

    def as_typed(found):
        """Return the option of one argument, with its value if there is one."""
        name = found[1] or found[2]
        try:
            value = ast.literal_eval(found[3] or "None")
        except (SyntaxError, ValueError):  # no value of Python, such as a part of a file name
            return found[0]
        if name == "model_args" and isinstance(value, dict):  # such as --dropout
            return " ".join(f"--{key} {item}" for key, item in value.items())
        action = known.get(name) or known.get(_OTHER_NAMES.get(name))
        if action is None:
            return found[0]
        option = action.option_strings[-1] if action.option_strings else action.metavar or action.dest
        return f"`{option}`" if found[1] else f"{option}{_typed(action, value, options)}"

    return _TWICE.sub(r"\1\2\1", _ARGUMENT.sub(as_typed, message))


def require(options, name, other):
    """Raise a ValueError if an option is given without the one that it needs to have an effect.

    Args:
        options: Namespace of the parsed options, in which an option that is not given is `None`.
        name: Attribute of the option.
        other: Attribute of the option that it needs.
    """
    value = getattr(options, name)
    if value is not None and not getattr(options, other):
        option, needed = (f"--{attribute.replace('_', '-')}" for attribute in (name, other))
        typed = f"{value:g}" if isinstance(value, float) else value
        raise ValueError(f"{option} needs {needed}. Received: {option} {typed} alone")


def _typed(action, value, options):
    """Return the value of an option as it is typed, with a space before it."""
    if action.nargs == 0:  # a flag
        return "" if value is True else f" {value}"
    if action.dest == "image_size" and isinstance(value, tuple):
        ratio = "" if options.image_size else f" (--ratio {options.ratio or 40:g})"
        return f" {'x'.join(map(str, value[:2]))}{ratio}"
    if isinstance(value, (tuple, list)):
        return f" {','.join(map(str, value))}"
    return f" {'none' if value is None else value}"
