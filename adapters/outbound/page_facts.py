"""Facts of pages: the records of a response, its next page, and whether it is the last one."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.outbound.formats.charsets import json_to_utf8
from adapters.outbound.formats.json_text import value_at, value_or_none
from adapters.outbound.formats.nested import Leaf, Nested
from adapters.outbound.formats.packed import unpacked
from adapters.outbound.polite.links import next_link
from adapters.outbound.polite.messages import UpstreamResponse
from adapters.outbound.polite.urls import Url, parse
from domain import page_names
from domain.errors import UnexpectedContent
from domain.page_names import link_target
from domain.pages import After, FirstPage, LinkHeader, NextHeader, NextMember, NoPages, Token
from domain.pointers import Pointer
from domain.sources import JsonFormat, NdjsonFormat, SourceDefinition
from domain.walks import Page


class PageFacts:
    """The facts of the pages of one source."""

    def __init__(self, definition: SourceDefinition[Any], first: Url) -> None:
        self._format = definition.format
        self._paginator = definition.pages.paginator
        self._ends = definition.pages.ends
        self._first = first
        key = [Leaf(pointer, msgspec.Raw, required=True) for pointer in definition.key]
        self._key = Nested(key) if key else None

    @property
    def headers(self) -> frozenset[str]:
        """Return the names of the headers about pages."""
        names = [self._ends.total_header, self._ends.last_header]
        if isinstance(self._paginator, NextHeader):
            names.append(self._paginator.name)
        if isinstance(self._paginator, Token):
            names.append(self._paginator.header)
        return frozenset(name.lower() for name in names if name)

    def of(self, answer: UpstreamResponse, is_first: bool) -> Page:
        """Return the facts of a page; raise UnexpectedContent if they are invalid."""
        text = _text(answer)
        if isinstance(self._paginator, NoPages):
            return self._only(answer, text)
        leads = self._leads(answer, text)
        elements: Sequence[bytes] = ()
        if leads is not None or not is_first or not self._may_be_all:
            elements = self._elements(text)
        ends = self._ends
        return Page(
            url=answer.url,
            records=self._identities(elements),
            leads=leads,
            more=_truth(self._at(text, ends.more)),
            total=_count(
                self._at(text, ends.total) or answer.headers.get(ends.total_header.lower())
            ),
            last=_count(self._at(text, ends.last) or answer.headers.get(ends.last_header.lower())),
            after=self._after(elements),
        )

    def _only(self, answer: UpstreamResponse, text: bytes) -> Page:
        """Return the facts of a page that should be the only one, by their usual names."""
        hints = _hints(text) if isinstance(self._format, JsonFormat) else _Hints()
        return Page(
            url=answer.url,
            records=range(len(self._elements(text))) if hints.total is not None else (),
            leads=next_link(answer.headers.get("link", "")) or hints.leads,
            more=hints.more,
            total=hints.total,
        )

    @property
    def _may_be_all(self) -> bool:
        """Return whether a first page without a next one is complete, whatever it contains."""
        led = FirstPage | LinkHeader | NextMember | NextHeader | Token
        says = self._ends.total or self._ends.total_header
        return isinstance(self._paginator, led) and not says

    def _at(self, text: bytes, pointer: Pointer | None) -> Any:
        is_json = isinstance(self._format, JsonFormat)
        return value_or_none(text, pointer) if pointer is not None and is_json else None

    # ------------------------------------------------------------ the records

    def _elements(self, text: bytes) -> Sequence[bytes]:
        if not isinstance(self._format, JsonFormat):
            lines = [line for line in text.splitlines() if line.strip()]
            return lines if isinstance(self._format, NdjsonFormat) else lines[1:]
        before = self._format.records
        if not before.is_single:
            before = Pointer(before.steps[: before.steps.index(None)])
        try:
            listed = value_at(text, before)
            if listed.lstrip().startswith(b"{"):
                return [
                    bytes(each)
                    for each in msgspec.json.decode(listed, type=dict[str, msgspec.Raw]).values()
                ]
            return [bytes(each) for each in msgspec.json.decode(listed, type=list[msgspec.Raw])]
        except msgspec.DecodeError:
            return [text]  # an invalid list counts as one element, which is rejected

    def _identities(self, elements: Sequence[bytes]) -> list[Hashable]:
        return [self._identity(element) for element in elements]

    def _identity(self, element: bytes) -> Hashable:
        """Return the identity of a record: its key, or else its whole text."""
        if self._key is None:
            return hash(element)
        try:
            found = self._key.values(msgspec.json.decode(element, type=self._key.type))
        except (msgspec.DecodeError, ValueError):
            return hash(element)
        return hash(tuple(map(bytes, found)))

    def _after(self, elements: Sequence[bytes]) -> str | None:
        if not isinstance(self._paginator, After) or not elements:
            return None
        value = value_or_none(elements[-1], self._paginator.pointer)
        return None if value is None else _written(value)

    # ------------------------------------------------------------ the next page

    def _leads(self, answer: UpstreamResponse, text: bytes) -> str | Mapping[str, str] | None:
        link = next_link(answer.headers.get("link", ""))
        match self._paginator:
            case LinkHeader():
                return self._resolved(answer, link)
            case NextHeader(name):
                return self._resolved(answer, answer.headers.get(name.lower()))
            case NextMember(pointer):
                return self._resolved(answer, link_target(self._at(text, pointer)))
            case Token(send, pointer, header):
                token = self._at(text, pointer) or answer.headers.get(header.lower())
                return _token(send, token)
        return None

    def _resolved(self, answer: UpstreamResponse, link: str | None) -> str | None:
        """Return the target of a link, which must be on the host of its page or the first one."""
        if not link:
            return None
        url = parse(answer.url).leads_to(link) or self._first.leads_to(link)
        if url is None:
            raise UnexpectedContent("the next page is on another host, which is not followed")
        return url.text


def _text(answer: UpstreamResponse) -> bytes:
    return json_to_utf8(unpacked(answer.body), answer.content_type).strip()


def _token(send: str, token: Any) -> Mapping[str, str] | None:
    if isinstance(token, dict):
        return {name: _written(value) for name, value in token.items()} or None
    return None if token in (None, "", False) else {send: _written(token)}


class _Hints(msgspec.Struct):
    """The hints of a response that there are more pages or records."""

    leads: str | None = None
    more: bool | None = None
    total: int | None = None


def _hints(text: bytes) -> _Hints:
    """Return the hints under the usual names, in the body and in members beside the records."""
    try:
        body = msgspec.json.decode(text, type=dict[str, Any]) if text.startswith(b"{") else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Hints()
    hints = _Hints()
    around = [value for name, value in body.items() if name.lower() in page_names.AROUND]
    for members in (body, *(each for each in around if isinstance(each, dict))):
        for name, value in members.items():
            lower = name.lower()
            if lower in page_names.NEXT and value not in (None, "", False, 0):
                hints.leads = name
            if lower in page_names.MORE:
                hints.more = _truth(value)
            if lower in page_names.TOTAL:
                hints.total = _count(value)
    links = [link_target(each) for each in around if isinstance(each, list)]
    hints.leads = hints.leads or next(filter(None, links), None)
    return hints


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None if value is None else bool(value)


def _count(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
