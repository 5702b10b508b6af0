"""Frozen configs made of parts: flat options in, attributes of checked types, and a flat dict for JSON out."""

import dataclasses
import json

from poster_cnn.metrics import arguments


class ComposedConfig:
    """Base class of frozen dataclasses whose fields are parts and own attributes.

    The class attribute `PARTS` is a dict of field -> dataclass of the part. All options are flat, and attributes of the
    parts can also be read from the whole.
    """

    PARTS = {}

    def _compose(self, options):
        """Set the parts and the own attributes from flat options; raise a TypeError if one is unknown."""
        left = dict(options)
        for field, part in self.PARTS.items():
            own = {item.name: left.pop(item.name) for item in dataclasses.fields(part) if item.name in left}
            set_attributes(self, **{field: part(**own)})
        for item in dataclasses.fields(self):
            if item.name not in self.PARTS:
                default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
                set_attributes(self, **{item.name: left.pop(item.name, default)})
        if left:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {next(iter(left))!r}")

    def __getattr__(self, name):
        for field in self.PARTS:
            if field in self.__dict__ and name in self.__dict__[field].__dict__:
                return self.__dict__[field].__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _flat(self):
        found = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            found |= dataclasses.asdict(value) if item.name in self.PARTS else {item.name: value}
        return found

    def replace(self, **changes):
        """Return a copy with some attributes changed."""
        return type(self)(**self._flat() | changes)

    def to_dict(self):
        """Return all attributes as a flat dict, as it would be read back from JSON."""
        return json.loads(json.dumps(self._flat()))

    @classmethod
    def from_dict(cls, content):
        """Return the config that `to_dict` returned as a dict.

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


def set_attributes(config, **values):
    """Set attributes of a frozen config."""
    for name, value in values.items():
        object.__setattr__(config, name, value)


def require(good, config, name, expected):
    """Raise a ValueError that names an attribute, the expected value and the received one, unless `good`."""
    if not good:
        arguments.refuse(name, expected, getattr(config, name))


def require_in(config, name, allowed):
    """Raise a ValueError unless an attribute is one of the allowed values."""
    arguments.choice(*allowed)(name, getattr(config, name))
