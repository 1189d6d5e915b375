"""Blocks as text: a declaration as a person would write it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from domain.guessed_fields import FieldGuess, LeftOut
from domain.guessed_pages import Block
from domain.guessed_records import RecordsGuess

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written_block(
    name: str,
    *,
    url: str,
    format: str,
    records: RecordsGuess,
    pages: Block | None,
    key: Sequence[str],
    fields: Sequence[FieldGuess],
    left_out: Sequence[LeftOut] = (),
    auth: Mapping[str, Any] | None = None,
) -> str:
    """Return the block of a dataset as TOML, ending in a line break."""
    lines = [f"[datasets.{name}]", f"url = {_value(url)}"]
    if auth:
        lines.append(f"auth = {_value(auth)}")
    if format != "json":
        lines.append(f"format = {_value(format)}")
    if records.pointer.steps:
        lines.append(f"records = {_value(str(records.pointer))}")
    if records.columns is not None:
        lines.append(f"columns = {_value(str(records.columns))}")
    if pages is not None:
        lines.append(f"pages = {_value(pages)}")
    lines.append(f"key = {_value(key[0] if len(key) == 1 else list(key))}")
    lines.append(f"[datasets.{name}.fields]")
    lines += [f"{field.name} = {_value(_field(field))}" for field in fields]
    lines += [f"# left out: {each.pointer} {each.reason}" for each in left_out]
    return "\n".join(lines) + "\n"


def _field(field: FieldGuess) -> str | dict[str, str]:
    kind = f"{field.type}?" if field.nullable else field.type
    if field.pointer.steps == (field.name,):
        return kind
    return {"type": kind, "from": str(field.pointer)}


def _value(value: Any) -> str:
    """Return a value as TOML: a text, a number, a truth, a list, or a table on one line."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A text of JSON is one of TOML, but for the character DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
