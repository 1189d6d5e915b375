"""Reads: `GET /data…`, one ASGI application for every record of every dataset.

The question is parsed from the dataset's fields, so a new dataset needs nothing here. What varies
with each request comes last in the envelope, so that the rest can be kept as ready bytes.
"""

import hashlib
import math
from contextlib import aclosing
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from adapters.http.asgi import (
    Receive,
    Scope,
    Send,
    header_of,
    lines,
    request_id_of,
    send_reply,
    until_gone,
)
from adapters.http.cursors import CursorSigner
from adapters.http.formats import chunk_of, first_line_of, json_of, shown
from adapters.http.problems import Refusal, Reply
from adapters.http.question import (
    Format,
    Question,
    accepted_format,
    read_projection,
    read_question,
    refuse_paging,
)
from application.catalogue import Catalogue, Standing
from application.ports.clock import Clock
from application.query import Query
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Role
from domain.errors import UnknownRecord
from domain.fields import Field
from domain.paging import Page

PREFIX = "/data"
_METHODS = ("GET", "HEAD")


class _Asked(NamedTuple):
    """One request for reading."""

    scope: Scope
    query: Query[Any]
    role: Role
    started: float

    @property
    def dataset(self) -> Dataset[Any]:
        return self.query.dataset


class Reads:
    """Answers every read; errors are raised for the front to tell."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Clock,
        signer: CursorSigner,
        epoch: str,
        default_dataset: str,
        max_age_s: int = 0,
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._signer = signer
        self._epoch = epoch
        self._default_dataset = default_dataset
        self._max_age_s = max_age_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request under `/data`."""
        if scope["method"] not in _METHODS:
            allowed = {"Allow": ", ".join(_METHODS)}
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "records can only be read",
                allowed,
            )
        name, *key = _segments(scope["path"]) or [self._default_dataset]
        asked = _Asked(scope, self._catalogue.query(name), Role.ANYONE, perf_counter())
        asked.query.admit(asked.role)
        if key:
            await send_reply(scope, send, await self._one(asked, key))
        else:
            await self._many(asked, receive, send)

    # ------------------------------------------------------------ one record

    async def _one(self, asked: _Asked, texts: list[str]) -> Reply:
        dataset = asked.dataset
        fields = read_projection(dataset, asked.scope["query_string"])
        key = _key(dataset, texts)
        freshness = await asked.query.freshness(asked.role)
        standing = self._catalogue.standing(dataset.name, freshness)
        headers = self._headers(asked, ("one", key, fields), Format.JSON, freshness, standing)
        if _has(asked.scope, headers["ETag"]):
            return Reply(HTTPStatus.NOT_MODIFIED, headers, b"")
        row = await asked.query.get(key, asked.role)
        if _has(asked.scope, _ANY):
            return Reply(HTTPStatus.NOT_MODIFIED, headers, b"")
        [record] = shown(dataset, [row], fields)
        body = b'{"data":%b,"meta":%b' % (json_of(record), _meta(asked, freshness, standing))
        return Reply(HTTPStatus.OK, headers, body + _ending(asked, standing))

    # ------------------------------------------------------------ many records

    async def _many(self, asked: _Asked, receive: Receive, send: Send) -> None:
        question = read_question(asked.dataset, asked.scope["query_string"], self._signer)
        format = question.format or accepted_format(header_of(asked.scope, b"accept"))
        if format is None:
            raise Refusal(
                HTTPStatus.NOT_ACCEPTABLE,
                "not_acceptable",
                "records come as application/json, application/x-ndjson or text/csv",
            )
        if format is not Format.JSON:
            refuse_paging(question)
        if _wants_validation(asked.scope) or format is not Format.JSON:
            freshness = await asked.query.freshness(asked.role)
            standing = self._catalogue.standing(asked.dataset.name, freshness)
            headers = self._headers(asked, question.canonical, format, freshness, standing)
            known = (headers["ETag"],) if format is Format.JSON else (headers["ETag"], _ANY)
            if _has(asked.scope, *known):
                await send_reply(asked.scope, send, Reply(HTTPStatus.NOT_MODIFIED, headers, b""))
                return
            if format is not Format.JSON:
                send = until_gone(receive, send)
                await self._export(asked, question, format, headers, send)
                return
        await send_reply(asked.scope, send, await self._page(asked, question))

    async def _page(self, asked: _Asked, question: Question) -> Reply:
        page = await asked.query(question.request, asked.role)
        standing = self._catalogue.standing(asked.dataset.name, page.freshness)
        headers = self._headers(asked, question.canonical, Format.JSON, page.freshness, standing)
        cursor = None
        if page.next_cursor is not None:
            cursor = self._signer.write(asked.dataset, page.next_cursor)
            headers["Link"] = f'<{_next_page(asked.scope, question, cursor)}>; rel="next"'
        if _has(asked.scope, _ANY):
            return Reply(HTTPStatus.NOT_MODIFIED, headers, b"")
        body = b'{"data":%b,"count":%d,"page":%b,"meta":%b' % (
            json_of(shown(asked.dataset, page.rows, question.fields)),
            len(page.rows),
            json_of(_paging(question, page, cursor)),
            _meta(asked, page.freshness, standing),
        )
        return Reply(HTTPStatus.OK, headers, body + _ending(asked, standing))

    async def _export(
        self, asked: _Asked, question: Question, format: Format, headers: dict[str, str], send: Send
    ) -> None:
        """Stream the whole answer; a failure midway breaks the connection, never the content."""
        name = f"{asked.dataset.name}.{format}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        start = {"type": "http.response.start", "status": 200, "headers": lines(headers)}
        if asked.scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        body = first_line_of(asked.dataset, question.fields, format)
        async with aclosing(asked.query.walk(question.request, asked.role)) as chunks:
            async for rows in chunks:
                body += chunk_of(asked.dataset, rows, question.fields, format)
                if start:
                    # Not before the first chunk is read: until then an error can still be told.
                    await send(start)
                    start = {}
                await send({"type": "http.response.body", "body": body, "more_body": True})
                body = b""
        await send({"type": "http.response.body", "body": b""})

    # ------------------------------------------------------------ headers

    def _headers(
        self, asked: _Asked, what: Any, format: Format, freshness: Freshness, standing: Standing
    ) -> dict[str, str]:
        tag = (
            self._epoch,
            asked.dataset.name,
            asked.dataset.fingerprint,
            freshness.seq,
            what,
            format.value,
            asked.role.value,
            standing.stale,
        )
        digest = hashlib.blake2b(msgspec.msgpack.encode(tag), digest_size=12).hexdigest()
        headers = {
            "Content-Type": format.media_type,
            "ETag": f'W/"{digest}"',
            "Cache-Control": self._cache_control(standing),
            "Vary": "Accept, Authorization",
        }
        if standing.fetched_at is not None:
            age_s = (self._clock.now() - standing.fetched_at).total_seconds()
            headers["Age"] = str(max(0, math.floor(age_s)))
        return headers

    def _cache_control(self, standing: Standing) -> str:
        # A 304 costs next to nothing, and a page that lags behind looks broken.
        age_s = self._max_age_s
        if standing.next_fetch_at is not None:
            left_s = (standing.next_fetch_at - self._clock.now()).total_seconds()
            age_s = min(age_s, math.floor(left_s))
        return f"max-age={age_s}" if age_s > 0 else "no-cache"


# ---------------------------------------------------------------- paths and keys


def _segments(path: str) -> list[str]:
    # The server has decoded the path once; an encoded slash is reached by a filter instead.
    return [segment for segment in path.removeprefix(PREFIX).split("/") if segment]


def _key(dataset: Dataset[Any], texts: list[str]) -> tuple[Any, ...]:
    missing = UnknownRecord(f"{dataset.name} has no record with that key")
    if len(texts) != len(dataset.key):
        parts = "/".join(f"{{{name}}}" for name in dataset.key)
        raise UnknownRecord(f"a record of {dataset.name} is at /data/{dataset.name}/{parts}")
    try:
        return tuple(
            _part(dataset.fields[name], text) for name, text in zip(dataset.key, texts, strict=True)
        )
    except ValueError as error:
        raise missing from error


def _part(field: Field, text: str) -> Any:
    if "\ufffd" in text:
        raise ValueError("not UTF-8")
    return field.parse(text)


# ---------------------------------------------------------------- conditional requests


def _wants_validation(scope: Scope) -> bool:
    return any(name == b"if-none-match" for name, _ in scope["headers"])


#: Stands for whatever there is, which has to be looked for first.
_ANY = "*"


def _has(scope: Scope, *etags: str) -> bool:
    """Whether the client has an answer with one of these tags; weak comparison, as for any GET."""
    wanted = {etag.removeprefix("W/") for etag in etags}
    given = header_of(scope, b"if-none-match").split(",")
    return any(tag.strip().removeprefix("W/") in wanted for tag in given)


# ---------------------------------------------------------------- the envelope


def _paging(question: Question, page: Page[Any], cursor: str | None) -> dict[str, Any]:
    return {
        "limit": question.request.limit,
        "offset": question.request.offset,
        "next_cursor": cursor,
        "has_more": page.next_cursor is not None,
        "total": page.total,
        "total_relation": page.total_relation,
    }


def _meta(asked: _Asked, freshness: Freshness, standing: Standing) -> bytes:
    return json_of(
        {
            "dataset": asked.dataset.name,
            "seq": freshness.seq,
            "fetched_at": standing.fetched_at,
            "next_fetch_at": standing.next_fetch_at,
            "sources": [checkpoint.source for checkpoint in freshness.checkpoints],
        }
    )


def _ending(asked: _Asked, standing: Standing) -> bytes:
    """What differs from one request to the next."""
    latency_ms = round((perf_counter() - asked.started) * 1000, 2)
    return b',"stale":%b,"request_id":%b,"api_latency_ms":%b}' % (
        b"true" if standing.stale else b"false",
        json_of(request_id_of(asked.scope)),
        json_of(latency_ms),
    )


def _next_page(scope: Scope, question: Question, cursor: str) -> str:
    kept = [(n, v) for n, v in question.parameters if n not in ("cursor", "offset")]
    return f"{quote(scope['path'])}?{urlencode([*kept, ('cursor', cursor)])}"
