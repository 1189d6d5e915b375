"""The read endpoint: `GET /data…`, one ASGI application for the records of all datasets.

Query parameters follow from a dataset's fields, so a new dataset needs no change here.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.http.datasets.export import BEGUN, send_export
from adapters.http.datasets.formats import project
from adapters.http.datasets.query_string import (
    Format,
    ReadQuery,
    ReadRequest,
    read_fields,
    read_query,
    read_request,
    takes_list,
)
from adapters.http.datasets.response_cache import MAX_ANSWER_BYTES, CachedAnswer, ResponseCache
from adapters.http.protocol.access import ANYONE, RoleGuard
from adapters.http.protocol.asgi import Receive, Scope, Send, send_reply
from adapters.http.protocol.compression import VARIES
from adapters.http.protocol.conditional import ANY, has
from adapters.http.protocol.cursors import CursorSigner, next_page_of, records_of
from adapters.http.protocol.problems import Reply, refuse_writing
from adapters.http.protocol.query_params import parameters_of
from application.datasets.catalogue import Catalogue, FreshnessStatus
from application.datasets.query import Reader
from application.ports.datasets import Changes
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.errors import StoreUnavailable, UnknownRecord
from domain.fields import Field, FieldType
from domain.paging import Page

PREFIX = "/data"
_encode = msgspec.json.Encoder().encode
_CONTENT_TYPE = {format: format.media_type.encode() for format in Format}


class RecordsEndpoint:
    """The ASGI application of all reads; `database_id` is the database's random identifier.

    The outermost middleware turns the errors it raises into problems.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        changes: Changes,
        cache: ResponseCache,
        signer: CursorSigner,
        guard: RoleGuard,
        database_id: str,
        default_dataset: str,
    ) -> None:
        self._catalogue = catalogue
        self._changes = changes
        self._cache = cache
        self._signer = signer
        self._guard = guard
        self._database_id = database_id
        self._default_dataset = default_dataset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under `/data`."""
        refuse_writing(scope["method"], "records")
        request = read_request(scope)
        # Every read needs this; the use case checks who may read the dataset.
        self._guard.admit(scope, ANYONE)
        answer = await self._cache.find(request)
        if answer is None:
            answer = await self._read(request, receive, send)
        if answer is not None:
            await send_reply(scope, send, await self._reply(request, answer))

    async def _reply(self, request: ReadRequest, answer: CachedAnswer) -> Reply:
        # A body this large is not cached, so the thread does not touch the cache.
        if answer.body is not None and len(answer.body) > MAX_ANSWER_BYTES:
            return await asyncio.to_thread(self._cache.reply, request, answer)
        return self._cache.reply(request, answer)

    async def _read(
        self, request: ReadRequest, receive: Receive, send: Send
    ) -> CachedAnswer | None:
        """Read the answer and cache it; return None for an export, which has been sent then."""
        # The path is already decoded, so a key with a slash in it is read by a filter instead.
        segments = request.scope["path"].removeprefix(PREFIX).split("/")
        name, *key = [segment for segment in segments if segment] or [self._default_dataset]
        parameters = parameters_of(request.scope["query_string"], takes_list)
        while True:
            reader = self._catalogue.query(name).for_role(request.role)
            try:
                if key:
                    fields = read_fields(reader.dataset, parameters)
                    answer = await self._record(request, reader, key, fields)
                else:
                    query = read_query(reader.dataset, parameters, self._signer, request.accept)
                    if query.format is not Format.JSON:
                        return await self._export(request, reader, query, receive, send)
                    answer = await self._page(request, reader, query)
            except StoreUnavailable:
                # If the dataset was replaced meanwhile, its table has another layout.
                if BEGUN in request.scope or not await self._catalogue.is_replaced(reader):
                    raise
            else:
                self._cache.put(request, answer)
                return answer

    async def _record(
        self, request: ReadRequest, reader: Reader[Any], texts: list[str], fields: tuple[str, ...]
    ) -> CachedAnswer:
        key = _key(reader.dataset, texts)
        version = self._changes.version()
        freshness = await reader.freshness()
        canonical = ("one", key, fields)
        answer = self._begin(request, reader, canonical, Format.JSON, freshness, version)
        if not (request.is_conditional and has(request.scope, answer.etag)):
            [record] = project(reader.dataset, [await reader.get(key)], fields)
            answer.body = _record_envelope(reader.dataset, record, freshness, answer.status)
        return answer

    async def _page(
        self, request: ReadRequest, reader: Reader[Any], query: ReadQuery
    ) -> CachedAnswer:
        version = self._changes.version()
        if request.is_conditional:
            # The sequence number and checkpoints decide whether the client's copy is current.
            freshness = await reader.freshness()
            answer = self._begin(request, reader, query.canonical, Format.JSON, freshness, version)
            if has(request.scope, answer.etag):
                return answer
        page = await reader.page(query.request)
        answer = self._begin(request, reader, query.canonical, Format.JSON, page.freshness, version)
        cursor = None
        if page.next_cursor is not None:
            cursor = self._signer.write(records_of(reader.dataset), page.next_cursor)
            link = next_page_of(request.scope["path"], query.parameters, cursor)
            answer.lines = (*answer.lines, (b"link", link.encode("latin-1")))
        records = project(reader.dataset, page.rows, query.fields) if query.fields else page.rows
        envelope = (reader.dataset, query, page, records, cursor, answer.status)
        if page.size > MAX_ANSWER_BYTES:
            answer.body = await asyncio.to_thread(_page_envelope, *envelope)
        else:
            answer.body = _page_envelope(*envelope)
        return answer

    async def _export(
        self,
        request: ReadRequest,
        reader: Reader[Any],
        query: ReadQuery,
        receive: Receive,
        send: Send,
    ) -> CachedAnswer | None:
        version = self._changes.version()
        freshness = await reader.freshness()
        answer = self._begin(request, reader, query.canonical, query.format, freshness, version)
        if request.is_conditional and has(request.scope, answer.etag, ANY):
            self._cache.put(request, answer)
            return answer
        lines = self._cache.lines(request, answer)
        await send_export(request.scope, reader, query, lines, receive, send)
        return None

    def _begin(
        self,
        request: ReadRequest,
        reader: Reader[Any],
        canonical: Any,
        format: Format,
        freshness: Freshness,
        version: int,
    ) -> CachedAnswer:
        """Return an answer without its body, with the headers that depend on the data alone."""
        dataset = reader.dataset
        status = self._catalogue.freshness_status(dataset.name, freshness)
        tag = (
            self._database_id,
            dataset.name,
            dataset.fingerprint,
            freshness.seq,
            canonical,
            format.value,
            request.role.value,
            status.stale,
        )
        digest = hashlib.blake2b(msgspec.msgpack.encode(tag), digest_size=12).hexdigest()
        etag = f'W/"{digest}"'
        lines = (
            (b"content-type", _CONTENT_TYPE[format]),
            (b"etag", etag.encode()),
            (b"vary", b"Accept, Authorization, " + VARIES),
        )
        return CachedAnswer(reader, etag, lines, freshness, status, version)


# ---------------------------------------------------------------- keys


def _key(dataset: Dataset[Any], texts: list[str]) -> tuple[Any, ...]:
    if len(texts) != len(dataset.key):
        raise UnknownRecord(_where_record_is(dataset))
    try:
        return tuple(
            _part(dataset.fields[name], text) for name, text in zip(dataset.key, texts, strict=True)
        )
    except ValueError as error:
        raise UnknownRecord(f"{dataset.name} has no record with that key") from error


def _where_record_is(dataset: Dataset[Any]) -> str:
    parts = "/".join(f"{{{name}}}" for name in dataset.key)
    where = f"a record of {dataset.name} is at /data/{dataset.name}/{parts}"
    if not any(dataset.fields[name].type is FieldType.TEXT for name in dataset.key):
        return where
    filters = "&".join(f"{name}__eq={{{name}}}" for name in dataset.key)
    return f"{where}; if its key contains a slash, use /data/{dataset.name}?{filters}"


def _part(field: Field, text: str) -> Any:
    if "\ufffd" in text:
        raise ValueError("not UTF-8")
    return field.parse(text)


# ---------------------------------------------------------------- the JSON envelope


def _page_envelope(
    dataset: Dataset[Any],
    query: ReadQuery,
    page: Page[Any],
    records: Sequence[Any],
    cursor: str | None,
    status: FreshnessStatus,
) -> bytes:
    """Return a page's envelope without its end, which differs from request to request."""
    paging = {
        "limit": query.request.limit,
        "offset": query.request.offset,
        "next_cursor": cursor,
        "has_more": page.next_cursor is not None,
        "total": page.total,
        "total_relation": page.total_relation,
    }
    return b'{"data":%b,"count":%d,"page":%b,"meta":%b' % (
        _encode(records),
        len(page.rows),
        _encode(paging),
        _meta(dataset, page.freshness, status),
    )


def _record_envelope(
    dataset: Dataset[Any], record: Any, freshness: Freshness, status: FreshnessStatus
) -> bytes:
    """Return a record's envelope without its end, which differs from request to request."""
    return b'{"data":%b,"meta":%b' % (_encode(record), _meta(dataset, freshness, status))


def _meta(dataset: Dataset[Any], freshness: Freshness, status: FreshnessStatus) -> bytes:
    return _encode(
        {
            "dataset": dataset.name,
            "seq": freshness.seq,
            "fetched_at": status.fetched_at,
            "next_fetch_at": status.next_fetch_at,
            "sources": [checkpoint.source for checkpoint in freshness.checkpoints],
        }
    )
