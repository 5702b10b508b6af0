"""Frozen configs made of parts: flat options in, attributes of checked types, and a flat dict for JSON out."""

import dataclasses

from poster_cnn.metrics import arguments


def compose(config, parts, options):
    """Set the parts and the own attributes of a frozen config from flat options.

    Args:
        config: Frozen dataclass whose fields are parts and own attributes.
        parts: Dict of field -> dataclass of the part.
        options: Dict of attribute -> value, for the parts and the config itself.

    Raises:
        TypeError: If an option is unknown.
    """
    left = dict(options)
    for field, part in parts.items():
        own = {item.name: left.pop(item.name) for item in dataclasses.fields(part) if item.name in left}
        set_attributes(config, **{field: part(**own)})
    for item in dataclasses.fields(config):
        if item.name not in parts:
            default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
            set_attributes(config, **{item.name: left.pop(item.name, default)})
    if left:
        raise TypeError(f"{type(config).__name__}() got an unexpected keyword argument {next(iter(left))!r}")


def set_attributes(config, **values):
    """Set attributes of a frozen config."""
    for name, value in values.items():
        object.__setattr__(config, name, value)


def attribute_of_part(config, parts, name):
    """Return an attribute of one of the parts of a config."""
    for field in parts:
        if field in config.__dict__ and name in config.__dict__[field].__dict__:
            return config.__dict__[field].__dict__[name]
    raise AttributeError(f"{type(config).__name__!r} object has no attribute {name!r}")


def flat(config, parts):
    """Return the attributes of a config and its parts as one dict."""
    found = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        found |= dataclasses.asdict(value) if item.name in parts else {item.name: value}
    return found


def from_json(cls, content):
    """Return a config from the dict that its `to_dict` gave.

    Raises:
        ValueError: If the dict has unknown attributes, for example because another version wrote it.
    """
    try:
        return cls(**content)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise ValueError(f"Invalid configuration: {error}") from error
        name = str(error).rpartition(" ")[2].strip("'")
        raise ValueError(f"Unknown configuration: {name}. Was it written by another version?") from error


def require(good, config, name, expected):
    """Raise a ValueError that names an attribute, the expected value and the received one, unless `good`."""
    if not good:
        arguments.refuse(name, expected, getattr(config, name))


def require_in(config, name, allowed):
    """Raise a ValueError unless an attribute is one of the allowed values."""
    arguments.choice(*allowed)(name, getattr(config, name))
