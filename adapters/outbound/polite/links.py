"""Link headers: parsed by RFC 8288, and leniently where senders differ from it."""

import re
from collections.abc import Iterator, Mapping

import msgspec

_TARGET = re.compile(r"[^<]*<([^<>]*)>")
_NAME = re.compile(r"[\s;]*([^\s;,=<>\"]+)\s*(=?)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"|\'([^\']*+)\'(?=\s*(?:[;,]|$))', re.DOTALL)
_END = re.compile(r"[;,]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Link(msgspec.Struct, frozen=True):
    """A target, as written, and its parameters by name in lower case; repeated ones once."""

    target: str
    parameters: Mapping[str, str]

    @property
    def relations(self) -> list[str]:
        """Return the relation types, in lower case; none if an `anchor` names another page."""
        if self.parameters.get("anchor"):
            return []
        return self.parameters.get("rel", "").lower().split()


def links(header: str) -> Iterator[Link]:
    """Yield the links of a header; anything else is skipped."""
    position = 0
    while target := _TARGET.match(header, position):
        parameters, position = _parameters(header, target.end())
        yield Link(target[1].strip(), parameters)


def next_link(header: str) -> str | None:
    """Return the target of `rel="next"` in a Link header, if there is one."""
    return next((link.target for link in links(header) if "next" in link.relations), None)


def _parameters(header: str, position: int) -> tuple[dict[str, str], int]:
    """Return the parameters up to the comma that ends a link, and their end."""
    parameters: dict[str, str] = {}
    while name := _NAME.match(header, position):
        position, value = name.end(), ""
        if name[2]:
            value, position = _value(header, position)
        parameters.setdefault(name[1].lower(), value)
    return parameters, position


def _value(header: str, position: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(header, position):
        double, single = quoted.groups()
        value = single if double is None else _ESCAPED.sub(r"\1", double)
        return value, quoted.end()
    ended = _END.search(header, position)
    end = ended.start() if ended else len(header)
    return header[position:end].strip(), end
