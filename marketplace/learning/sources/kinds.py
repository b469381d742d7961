"""Kinds of Arrow columns, as far as data for training knows them."""

from __future__ import annotations

import pyarrow as pa

_MAX_DEPTH = 8  # of lists in lists


def plain(kind: pa.DataType) -> pa.DataType:
    """What a column holds, below extension types and dictionaries."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def leaf(kind: pa.DataType) -> pa.DataType:
    """What lists in lists hold."""
    for _ in range(_MAX_DEPTH):
        if not is_list(kind):
            break
        kind = kind.value_type
    return kind


def is_list(kind: pa.DataType) -> bool:
    """Of any length, or of a fixed one."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_image(kind: pa.DataType) -> bool:
    """Bytes, or what `datasets` makes of an image: a struct of bytes and a path."""
    types = pa.types
    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and is_image(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def is_number(kind: pa.DataType) -> bool:
    """Also true and false."""
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """UTF-8."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
