"""Frozen dataclasses that mirror the contracts' structs, to and from the tuples of ABI calls."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Self


class AbiStruct:
    """A frozen dataclass whose fields stand in the ABI's order; structs may hold structs and lists."""

    @classmethod
    def from_abi(cls, values: Sequence[Any] | Mapping[str, Any]) -> Self:
        """From what a contract call returns: a tuple, or a mapping in the ABI's order.

        Raises ValueError where the number of fields differs, or an enum has no such member.
        """
        given = tuple(values.values()) if isinstance(values, Mapping) else tuple(values)
        types = _field_types(cls)
        if len(given) != len(types):
            raise ValueError(f"{cls.__name__} has {len(types)} fields, the contract returned {len(given)}")
        return cls(
            **{name: _read(kind, value) for (name, kind), value in zip(types.items(), given, strict=True)}
        )

    def to_abi(self) -> tuple[Any, ...]:
        """The tuple that a contract call takes."""
        return tuple(_write(getattr(self, name)) for name in _field_types(type(self)))


_known_types: dict[
    object, Mapping[str, Any]
] = {}  # by struct: to resolve hints costs more than a call's decoding


def _field_types(struct: type[AbiStruct]) -> Mapping[str, Any]:
    if struct not in _known_types:
        _known_types[struct] = _resolved(struct)
    return _known_types[struct]


def _resolved(struct: type[AbiStruct]) -> Mapping[str, Any]:
    hints = typing.get_type_hints(struct)
    return {field.name: hints[field.name] for field in dataclasses.fields(struct)}  # type: ignore[arg-type]


def _read(kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        items = value.values() if isinstance(value, Mapping) else value
        return tuple(_read(typing.get_args(kind)[0], item) for item in items)
    if isinstance(kind, type):
        if issubclass(kind, AbiStruct):
            return kind.from_abi(value)
        if issubclass(kind, tuple):  # a NamedTuple, such as a point
            return kind(*(value.values() if isinstance(value, Mapping) else value))
        if issubclass(kind, IntEnum | bytes):
            return kind(value)
    return value


def _write(value: Any) -> Any:
    if isinstance(value, AbiStruct):
        return value.to_abi()
    return [_write(item) for item in value] if type(value) is tuple else value
