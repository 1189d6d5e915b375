"""Reads: `GET /data…`, one ASGI application for every record of every dataset.

The question is parsed from the dataset's fields, so a new dataset needs nothing here. What varies
with each request comes last in the envelope, so that the rest can be kept as ready bytes.
"""

from http import HTTPStatus
from time import perf_counter
from typing import Any

from adapters.http.datasets.envelope import ReadRequest, ending_of, page_of, record_of
from adapters.http.datasets.export import export
from adapters.http.datasets.formats import shown
from adapters.http.datasets.query_string import (
    Format,
    ReadQuery,
    accepted_format,
    read_projection,
    read_question,
    refuse_paging,
)
from adapters.http.datasets.ready_pages import Key, ReadyPage, ReadyPages, key_of, page_ready
from adapters.http.datasets.repeats import READY
from adapters.http.datasets.validators import Validators
from adapters.http.protocol.access import ANYONE, RoleGuard, role_of
from adapters.http.protocol.asgi import (
    Receive,
    Scope,
    Send,
    header_of,
    request_id_of,
    send_reply,
)
from adapters.http.protocol.conditional import ANY, has, wants_validation
from adapters.http.protocol.cursors import CursorSigner, next_page_of, records_of
from adapters.http.protocol.problems import Refusal, Reply
from application.datasets.catalogue import Catalogue, FreshnessStatus
from application.ports.datasets import Changes
from application.ports.system import Clock
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.errors import UnknownRecord
from domain.fields import Field

PREFIX = "/data"
_METHODS = ("GET", "HEAD")


class Reads:
    """Answers every read; errors are raised for the front to tell."""

    def __init__(
        self,
        catalogue: Catalogue,
        changes: Changes,
        signer: CursorSigner,
        validators: Validators,
        clock: Clock,
        gate: RoleGuard,
        default_dataset: str,
    ) -> None:
        self._catalogue = catalogue
        self._changes = changes
        self._signer = signer
        self._validators = validators
        self._clock = clock
        self._gate = gate
        self._default_dataset = default_dataset
        self._ready = ReadyPages()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request under `/data`."""
        started = perf_counter()
        if scope["method"] not in _METHODS:
            allowed = {"Allow": ", ".join(_METHODS)}
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "records can only be read",
                allowed,
            )
        self._gate.admit(scope, ANYONE)
        ready = await self._ready_page(key_of(scope))
        if ready is not None:
            scope[READY] = ready
            await send_reply(scope, send, self._again(scope, ready, started))
            return
        name, *key = _segments(scope["path"]) or [self._default_dataset]
        asked = ReadRequest(scope, self._catalogue.query(name), role_of(scope), started)
        asked.query.admit(asked.role)
        if key:
            await send_reply(scope, send, await self._one(asked, key))
        else:
            await self._many(asked, receive, send)

    # ------------------------------------------------------------ one record

    async def _one(self, asked: ReadRequest, texts: list[str]) -> Reply:
        dataset = asked.dataset
        fields = read_projection(dataset, asked.scope["query_string"])
        key = _key(dataset, texts)
        version = self._changes.version()
        freshness = await asked.query.freshness(asked.role)
        standing = self._catalogue.freshness_status(dataset.name, freshness)
        what = ("one", key, fields)
        headers = self._validators.headers(asked, what, Format.JSON, freshness, standing)
        if has(asked.scope, headers["ETag"]):
            return self._unchanged(asked, headers, freshness, standing, version)
        row = await asked.query.get(key, asked.role)
        [record] = shown(dataset, [row], fields)
        body = record_of(asked, record, freshness, standing)
        return self._answered(asked, body, headers, freshness, standing, version)

    # ------------------------------------------------------------ many records

    async def _many(self, asked: ReadRequest, receive: Receive, send: Send) -> None:
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
        elif not wants_validation(asked.scope):
            await send_reply(asked.scope, send, await self._page(asked, question))
            return
        version = self._changes.version()
        freshness = await asked.query.freshness(asked.role)
        standing = self._catalogue.freshness_status(asked.dataset.name, freshness)
        headers = self._validators.headers(asked, question.canonical, format, freshness, standing)
        known = (headers["ETag"],) if format is Format.JSON else (headers["ETag"], ANY)
        if has(asked.scope, *known):
            unchanged = self._unchanged(asked, headers, freshness, standing, version)
            await send_reply(asked.scope, send, unchanged)
        elif format is Format.JSON:
            await send_reply(asked.scope, send, await self._page(asked, question))
        else:
            headers |= self._timed(asked.scope, standing)
            await export(asked, question, format, headers, receive, send)

    async def _page(self, asked: ReadRequest, question: ReadQuery) -> Reply:
        version = self._changes.version()
        page = await asked.query(question.request, asked.role)
        standing = self._catalogue.freshness_status(asked.dataset.name, page.freshness)
        headers = self._validators.headers(
            asked, question.canonical, Format.JSON, page.freshness, standing
        )
        cursor = None
        if page.next_cursor is not None:
            cursor = self._signer.write(records_of(asked.dataset), page.next_cursor)
            headers["Link"] = next_page_of(asked.scope["path"], question.parameters, cursor)
        records = shown(asked.dataset, page.rows, question.fields)
        body = page_of(asked, question, page, records, cursor, standing)
        return self._answered(asked, body, headers, page.freshness, standing, version)

    # ------------------------------------------------------------ answers, and those kept ready

    def _answered(
        self,
        asked: ReadRequest,
        body: bytes,
        headers: dict[str, str],
        freshness: Freshness,
        standing: FreshnessStatus,
        version: int,
    ) -> Reply:
        """The answer with this body, which is kept; `version` is from before anything was read."""
        page = page_ready(asked.query, body, headers, freshness, standing, version)
        key = key_of(asked.scope)
        if key is not None:
            self._ready.keep(key, page)
        return self._again(asked.scope, page, asked.started)

    def _again(self, scope: Scope, page: ReadyPage, started: float) -> Reply:
        timed = self._timed(scope, page.standing)
        if has(scope, page.etag, ANY):
            return Reply(HTTPStatus.NOT_MODIFIED, timed, b"", page.lines)
        request_id = request_id_of(scope).encode()
        body = page.body + ending_of(request_id, started, page.standing.stale)
        return Reply(HTTPStatus.OK, timed, body, page.lines)

    def _unchanged(
        self,
        asked: ReadRequest,
        headers: dict[str, str],
        freshness: Freshness,
        standing: FreshnessStatus,
        version: int,
    ) -> Reply:
        """The answer to a client that has it; asked again word for word, nothing is read for it."""
        page = page_ready(asked.query, b"", headers, freshness, standing, version)
        if key_of(asked.scope) is not None:
            asked.scope[READY] = page
        return Reply(HTTPStatus.NOT_MODIFIED, self._timed(asked.scope, standing), b"", page.lines)

    def _timed(self, scope: Scope, standing: FreshnessStatus) -> dict[str, str]:
        private = any(name == b"authorization" for name, _ in scope["headers"])
        return self._validators.timed(standing, self._clock.now(), private)

    async def _ready_page(self, key: Key | None) -> ReadyPage | None:
        """The page kept under this key, if all it says still holds."""
        page = None if key is None else self._ready.get(key)
        if key is None or page is None:
            return None
        version = self._changes.version()
        if version != page.version:
            if await page.query.freshness() != page.freshness:
                self._ready.forget(key)
                return None
            page.version = version
        if not page.standing.holds(self._clock.now()):
            self._ready.forget(key)
            return None
        return page


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
