"""Sources that answer with a JSON list of records, in one page or several, or with one record."""

import re
import types
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from adapters.outbound.formats.bounds import MAX_RECORDS, check_rejections, too_many_records
from adapters.outbound.formats.charsets import to_utf8
from adapters.outbound.formats.json import elements, too_deep
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.replies import NotModified, UpstreamResponse
from adapters.outbound.polite.urls import next_link, parse
from application.ports.ingest import Ask, Source
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.payloads import Batch, Payload
from domain.reports import Rejection

P = TypeVar("P", bound=msgspec.Struct)

_EXCERPT = 200
_REASON = 200
_NO_JSON = re.compile(
    r"text/(?!json|plain)|image/|audio/|video/|multipart/|application/xml|.*\+xml"
)
_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class JsonListSource(Source[R], Generic[P, R]):
    """Reads the list at one URL, and the pages its `Link: rel="next"` lead to on the same host.

    To add such a source, name its `payload` type, one element as the upstream spells it, and say
    in `record` what becomes of it. Raise `normaliser_version` when that changes. Where the upstream
    answers with one element and no list around it, set `single`.
    """

    name: ClassVar[str]
    normaliser_version: ClassVar[str]
    payload: ClassVar[type[Any]]
    single: ClassVar[bool] = False
    max_pages: ClassVar[int] = 10_000

    def __init__(self, client: PoliteClient, url: str) -> None:
        self._host = parse(url).key
        self._client = client
        self._url = url
        self._element: msgspec.json.Decoder[P] = msgspec.json.Decoder(self.payload)
        self._list: msgspec.json.Decoder[list[P]] = msgspec.json.Decoder(
            types.GenericAlias(list, (self.payload,))
        )

    @property
    def host(self) -> str:
        """The host it asks."""
        return self._host

    @abstractmethod
    def record(self, element: P, payload: Payload) -> R:
        """Turn an element of a payload into a record; a ValueError rejects it."""

    # ------------------------------------------------------------ asking

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the pages; nothing when the first one says that nothing changed."""
        # Validators speak of exactly one URL.
        known = ask.checkpoint if ask.checkpoint and ask.checkpoint.url == self._url else None
        url: str | None = self._url
        seen: set[str] = set()
        while url is not None:
            self._check_page(url, seen)
            answer = await self._client.get(
                url,
                ask.deadline,
                ask.traffic,
                etag=known.etag if known else None,
                last_modified=known.last_modified if known else None,
            )
            if isinstance(answer, NotModified):
                return
            yield answer.payload(page=len(seen))
            seen.add(url)
            known, url = None, _next_page(answer)

    def _check_page(self, url: str, seen: set[str]) -> None:
        if url in seen:
            raise UnexpectedContent("the pages lead round in circles", code="pagination_loop")
        if len(seen) >= self.max_pages:
            raise UnexpectedContent(
                f"there are more than {self.max_pages} pages", code="too_many_pages"
            )

    # ------------------------------------------------------------ reading

    def normalise(self, payload: Payload) -> Batch[R]:
        """Read all elements at once, or one by one when that fails, to tell good from bad."""
        text = _json_text(payload)
        if self.single:
            return self._sifted([("", _object(text))], payload)
        _check_list(text)
        try:
            records = [self.record(element, payload) for element in self._list.decode(text)]
            return Batch(records, [], "/{}".format)
        except RecursionError as error:
            raise too_deep() from error
        except (msgspec.DecodeError, ValueError):
            places = ((f"/{index}", element) for index, element in enumerate(elements(text)))
            return self._sifted(places, payload)

    def _sifted(self, places: Iterable[tuple[str, bytes]], payload: Payload) -> Batch[R]:
        good: list[str] = []
        batch: Batch[R] = Batch([], [], good.__getitem__)
        for place, element in places:
            check_rejections(batch)
            try:
                batch.records.append(self.record(self._element.decode(element), payload))
                good.append(place)
            except (msgspec.DecodeError, ValueError) as error:
                batch.rejections.append(_rejection(place, element, error))
        return batch


def _next_page(answer: UpstreamResponse) -> str | None:
    link = next_link(answer.headers.get("link", ""))
    if link is None:
        return None
    url = parse(answer.url).leads_to(link)
    if url is None:
        raise UnexpectedContent("the next page is on another host, where we do not follow")
    return url.text


def _json_text(payload: Payload) -> bytes:
    """The body as UTF-8, unless it says that it is something else."""
    if _NO_JSON.match(payload.content_type.strip().lower()):
        kind = payload.content_type.split(";")[0][:80]
        raise UnexpectedContent(f"the body is {kind}, and JSON was expected")
    return to_utf8(payload.body, payload.content_type).strip()


def _object(text: bytes) -> bytes:
    """The text, once it looks like one object and nothing else."""
    if not text.startswith(b"{"):
        kind = "a JSON list" if text.startswith(b"[") else "no JSON"
        raise UnexpectedContent(f"the body is {kind}, and a JSON object was expected")
    # As the only element of a list it is cut as any element is, and must end as one.
    [element, *others] = elements(b"[" + text + b"]")
    if others:
        raise UnexpectedContent("there is more text after the JSON object")
    return element


def _check_list(text: bytes) -> None:
    """Let pass what looks like a list of a bearable length."""
    if not text.startswith(b"["):
        kind = "a JSON object" if text.startswith(b"{") else "no JSON"
        raise UnexpectedContent(f"the body is {kind}, and a JSON list was expected")
    # Every record is an object, so that their exact number need only be told when it may be high.
    if text.count(b"{") > MAX_RECORDS:
        for index, _ in enumerate(elements(text)):
            if index >= MAX_RECORDS:
                raise too_many_records()


def _rejection(place: str, element: bytes, error: Exception) -> Rejection:
    excerpt = element.strip()[: _EXCERPT * 4].decode(errors="replace")[:_EXCERPT]
    if isinstance(error, UnicodeDecodeError):
        return Rejection(place, "holds bytes that are not text in its charset", excerpt)
    reason = str(error)
    return Rejection(f"{place}{_pointer(reason)}", _PLACE.sub("", reason)[:_REASON], excerpt)


def _pointer(reason: str) -> str:
    """The JSON pointer for the path in a reason of msgspec's, as far as it names the steps."""
    path = _PLACE.search(reason)
    steps = _STEP.findall(path[1].partition("[...]")[0]) if path else ()
    return "".join(f"/{name or number}" for name, number in steps)
