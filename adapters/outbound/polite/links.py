"""Link headers, read as RFC 8288 says, and as they are sent all the same."""

import re
from collections.abc import Iterator, Mapping

import msgspec

_TARGET = re.compile(r"[^<]*<([^<>]*)>")
_NAME = re.compile(r"[\s;]*([^\s;,=<>\"]+)\s*(=?)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"|\'([^\']*+)\'(?=\s*(?:[;,]|$))', re.DOTALL)
_END = re.compile(r"[;,]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Link(msgspec.Struct, frozen=True):
    """A target, as written, and its parameters by their names in small letters.

    Of a parameter that comes twice the first one counts.
    """

    target: str
    parameters: Mapping[str, str]

    @property
    def relations(self) -> list[str]:
        """How the target relates to the page it is told with, in small letters.

        A link with an `anchor` tells of another page.
        """
        if self.parameters.get("anchor"):
            return []
        return self.parameters.get("rel", "").lower().split()


def links(header: str) -> Iterator[Link]:
    """Yield the links of a header; what is none is passed over."""
    place = 0
    while target := _TARGET.match(header, place):
        parameters, place = _parameters(header, target.end())
        yield Link(target[1].strip(), parameters)


def next_link(header: str) -> str | None:
    """Return the target of `rel="next"` in a Link header, if there is one."""
    return next((link.target for link in links(header) if "next" in link.relations), None)


def _parameters(header: str, place: int) -> tuple[dict[str, str], int]:
    """Read parameters up to the comma that ends a link; returns where they end."""
    read: dict[str, str] = {}
    while name := _NAME.match(header, place):
        place, value = name.end(), ""
        if name[2]:
            value, place = _value(header, place)
        read.setdefault(name[1].lower(), value)
    return read, place


def _value(header: str, place: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(header, place):
        double, single = quoted.groups()
        value = single if double is None else _ESCAPED.sub(r"\1", double)
        return value, quoted.end()
    ended = _END.search(header, place)
    end = ended.start() if ended else len(header)
    return header[place:end].strip(), end
