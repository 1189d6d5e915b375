"""Guesses of how pages are walked, the likely ones first; a second page proves one of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from domain import page_names
from domain.guessed_records import RecordsGuess

Block = str | dict[str, Any]

#: What a server that cuts a list cuts it to.
_ROUND = frozenset({10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 150, 200, 250, 500, 1000})
_NUMBERS = ("page", "_page", "page_number", "pageNumber", "page[number]", "p")
_OFFSETS = ("offset", "_start", "skip", "$skip", "start", "startIndex", "page[offset]", "from")
#: Tokens whose parameter has another name.
_SENT_AS = {"last_seq": "since"}
_TOKENS = ("cursor", "page_token", "pageToken", "token", "next_token", "next", "after")
_AFTERS = ("starting_after", "after", "since", "last_id", "after_id", "start_after")
_PAGE_COUNTS = ("pages", "page_count", "pagecount", "total_pages", "totalpages", "last_page")


class PagesGuess(msgspec.Struct, frozen=True, kw_only=True):
    """A way to the next page: as a block says it, the parameters that ask for it, and why.

    Without parameters the answer itself leads on.
    """

    block: Block
    params: Mapping[str, str] = {}
    evidence: str


class FirstAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer of an upstream: its URL, its headers in lower case, its body.

    `next_link` is the absolute URL of a `Link` header with `rel="next"`, if there is one.
    """

    url: str
    headers: Mapping[str, str] = {}
    next_link: str | None = None
    body: Any


def told_total(answer: FirstAnswer) -> tuple[dict[str, str], int] | None:
    """Return the location of the number of all records, as in a block, and the number."""
    for name in ("x-total-count", "x-total", "x-wp-total", "total-count"):
        if (text := answer.headers.get(name, "")).isdigit():
            return {"total_header": name}, int(text)
    for pointer, name, value in _members(answer.body):
        if name in page_names.TOTAL and isinstance(value, int) and not isinstance(value, bool):
            return {"total": pointer}, value
    return None


def guess_pages(answer: FirstAnswer, records: RecordsGuess) -> list[PagesGuess]:
    """Return the ways to the next page that the first answer suggests, the likely ones first."""
    came = len(records.elements)
    total = told_total(answer)
    ends: dict[str, str] = {}
    if total is not None and total[1] >= came:
        ends = dict(total[0])
    found = list(_guesses(answer, records, ends))
    tells_more = total is not None and total[1] > came
    if tells_more or (not found and came in _ROUND):
        found += _tries(answer, came, ends)
    return found


def _guesses(
    answer: FirstAnswer, records: RecordsGuess, ends: Mapping[str, str]
) -> Iterator[PagesGuess]:
    yield from _led(answer, ends)
    yield from _numbered(answer, ends)
    yield from _by_token(answer, ends)
    yield from _by_offset(answer, records, ends)
    yield from _by_last(answer, records, ends)
    yield from _in_url(answer, records, ends)


def _led(answer: FirstAnswer, ends: Mapping[str, str]) -> Iterator[PagesGuess]:
    if answer.next_link is not None:
        block: Block = {"link": True, **ends} if ends else "link"
        yield PagesGuess(block=block, evidence='the header Link has rel="next"')
    host = urlsplit(answer.url).netloc
    for name, value in answer.headers.items():
        is_url = value.startswith(("http", "/")) and urlsplit(value).netloc in ("", host)
        if is_url and any(word in name for word in ("next", "more")):
            yield PagesGuess(
                block={"next_header": name, **ends}, evidence=f"the header {name} has a URL"
            )
    for pointer, name, value in _members(answer.body):
        if isinstance(value, list) and _has_next(value):
            yield PagesGuess(
                block={"next": pointer, **ends}, evidence=f'{pointer} has a link with rel "next"'
            )
        if name in page_names.NEXT and _is_link(value):
            yield PagesGuess(block={"next": pointer, **ends}, evidence=f"{pointer} is a URL")


def _numbered(answer: FirstAnswer, ends: Mapping[str, str]) -> Iterator[PagesGuess]:
    counts = {n: (p, v) for p, n, v in _members(answer.body) if isinstance(v, int)}
    last = next((counts[name] for name in _PAGE_COUNTS if name in counts), None)
    if last is None or last[1] < 2:
        return
    evidence = f"{last[0]} counts {last[1]} pages"
    for send in _NUMBERS:
        block = {"number": send, "last": last[0], **ends}
        yield PagesGuess(block=block, params={send: "2"}, evidence=evidence)


def _by_token(answer: FirstAnswer, ends: Mapping[str, str]) -> Iterator[PagesGuess]:
    for pointer, name, value in _members(answer.body):
        if name not in page_names.NEXT or _is_link(value) or value in (None, "", False):
            continue
        evidence = f"{pointer} is a token"
        if isinstance(value, dict):
            params = {key: str(each) for key, each in value.items()}
            block = {"token": pointer, "send": name, **ends}
            yield PagesGuess(block=block, params=params, evidence=evidence)
        elif isinstance(value, str | int):
            own = [_SENT_AS[name]] if name in _SENT_AS else _spelled(pointer)
            for send in dict.fromkeys((*own, *_TOKENS)):
                block = {"token": pointer, "send": send, **ends}
                yield PagesGuess(block=block, params={send: str(value)}, evidence=evidence)


def _spelled(pointer: str) -> list[str]:
    """Return how a token is likely called: as it is, without what says `next`, or just so."""
    name = pointer.rpartition("/")[2]
    bare = re.sub("^next_?", "", name, flags=re.IGNORECASE)
    return [each for each in (bare[:1].lower() + bare[1:], name) if each]


def _by_offset(
    answer: FirstAnswer, records: RecordsGuess, ends: Mapping[str, str]
) -> Iterator[PagesGuess]:
    came = str(len(records.elements))
    for _, name, value in _members(answer.body):
        if name in ("offset", "skip", "start") and value == 0:
            evidence = f"the response has its {name}"
            for send in (name, *_OFFSETS):
                block = {"offset": send, **ends}
                yield PagesGuess(block=block, params={send: came}, evidence=evidence)


def _by_last(
    answer: FirstAnswer, records: RecordsGuess, ends: Mapping[str, str]
) -> Iterator[PagesGuess]:
    last = records.elements[-1]
    if not isinstance(last, dict) or "id" not in last:
        return
    for pointer, name, value in _members(answer.body):
        if name in page_names.MORE and value is True:
            for send in _AFTERS:
                block = {"after": "/id", "send": send, "more": pointer, **ends}
                yield PagesGuess(
                    block=block,
                    params={send: str(last["id"])},
                    evidence=f"{pointer} says that there is more",
                )


def _in_url(
    answer: FirstAnswer, records: RecordsGuess, ends: Mapping[str, str]
) -> Iterator[PagesGuess]:
    for name, value in parse_qsl(urlsplit(answer.url).query):
        if name in _NUMBERS and value.isdigit():
            block: dict[str, Any] = {"number": name, **ends}
            if value != "1":
                block["from"] = int(value)
            params = {name: str(int(value) + 1)}
            yield PagesGuess(block=block, params=params, evidence=f"the URL has {name}={value}")
        if name in _OFFSETS and value == "0":
            params = {name: str(len(records.elements))}
            block = {"offset": name, **ends}
            yield PagesGuess(block=block, params=params, evidence=f"the URL has {name}=0")


def _tries(answer: FirstAnswer, came: int, ends: Mapping[str, str]) -> Sequence[PagesGuess]:
    evidence = f"{came} is a round number" if not ends else "more records are announced than came"
    tries = [({"number": send, **ends}, {send: "2"}) for send in _NUMBERS[:2]]
    tries += [({"offset": send, **ends}, {send: str(came)}) for send in _OFFSETS[:3]]
    return [PagesGuess(block=b, params=p, evidence=evidence) for b, p in tries]


# ---------------------------------------------------------------- members of a body


def _members(body: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the members of a body and of what is beside its records: pointer, name, value."""
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        yield f"/{_escaped(name)}", name.lower(), value
        if name.lower() in page_names.AROUND and isinstance(value, dict):
            for inner, each in value.items():
                yield f"/{_escaped(name)}/{_escaped(inner)}", inner.lower(), each


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _has_next(links: list[Any]) -> bool:
    return any(page_names.leads_on(each) for each in links if isinstance(each, dict))


def _is_link(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(value.get(name), str) for name in ("href", "url", "uri"))
    is_text = isinstance(value, str)
    return is_text and (value.startswith(("http://", "https://", "/", "?")) or "?" in value)
