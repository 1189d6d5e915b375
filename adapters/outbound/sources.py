"""Sources built from their definitions: over HTTP, or from a local file."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace

from adapters.outbound.files import HOST, LocalFile, OpenFile, file_of, first_line
from adapters.outbound.formats import csv, json
from adapters.outbound.formats.csv import columns_of, read_csv
from adapters.outbound.formats.csv_pages import pages_of
from adapters.outbound.formats.json import read_json, read_ndjson
from adapters.outbound.page_facts import PageFacts
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.failures import Unauthorized, incomplete, late
from adapters.outbound.polite.links import next_link
from adapters.outbound.polite.messages import (
    NotModified,
    UpstreamResponse,
    Validators,
    Wanted,
    harmless,
)
from adapters.outbound.polite.urls import Url, parse
from adapters.outbound.signing import Signer
from application.ingest.normalise import aside
from application.ports.ingest import Ask, Source
from application.ports.system import Clock, Secrets
from domain.checkpoints import Checkpoint
from domain.dataset import R
from domain.errors import SourceError
from domain.pages import LinkHeader
from domain.payloads import GZIP, Batch, Payload
from domain.reports import Rejection
from domain.sources import CsvFormat, JsonFormat, NdjsonFormat, SourceDefinition
from domain.walks import PAST_THE_END, End, NextParams, NextUrl, Step, Walk


def source_of(
    definition: SourceDefinition[R], client: PoliteClient, secrets: Secrets | None = None
) -> Source[R]:
    """Return the source of a definition; raise SourceRefused for an invalid URL."""
    if isinstance(definition.format, CsvFormat):
        file = file_of(definition.request.url)
        if file is not None:
            return FileSource(definition, file, client.clock)
    return HttpSource(definition, client, secrets)


class DefinedSource(Source[R]):
    """A source with the name, the version and the format of its definition."""

    def __init__(self, definition: SourceDefinition[R]) -> None:
        self._definition = definition

    @property
    def name(self) -> str:
        """Return the name of the source, as shown to users."""
        return self._definition.name

    @property
    def normaliser_version(self) -> str:
        """Return the versions of the mapping and of the format's reader."""
        match self._definition.format:
            case JsonFormat() | NdjsonFormat():
                reading = json.READING
            case CsvFormat():
                reading = csv.READING
        return f"{self._definition.normaliser_version} {reading}"

    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload."""
        mapping = self._definition.mapping
        match self._definition.format:
            case JsonFormat() as format:
                return read_json(payload, mapping, format)
            case NdjsonFormat():
                return read_ndjson(payload, mapping)
            case CsvFormat():
                return read_csv(payload, mapping, first_line(payload.url))


class HttpSource(DefinedSource[R]):
    """A source at one URL, with the pages that follow it."""

    def __init__(
        self, definition: SourceDefinition[R], client: PoliteClient, secrets: Secrets | None = None
    ) -> None:
        super().__init__(definition)
        self._client = client
        self._secrets = secrets
        self._signer = None if secrets is None else Signer(definition.auth, secrets, client)
        self._url = parse(definition.request.address)
        self._facts = PageFacts(definition, self._url)
        self._is_self_delimiting = definition.format.is_self_delimiting
        own = {name.lower(): value for name, value in definition.request.headers.items()}
        # A server that has only a kin of the format, such as application/vnd.api+json, answers too.
        self._headers = {"accept": f"{definition.format.media_type}, */*;q=0.1", **own}

    @property
    def host(self) -> str:
        """Return the host of the URL."""
        return self._url.key

    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload; an upstream may echo a secret in what is rejected."""
        batch = super().normalise(payload)
        if self._secrets is None or not batch.rejections:
            return batch
        redact = self._secrets.redact
        rejections = [
            Rejection(each.pointer, redact(each.reason), redact(each.excerpt))
            for each in batch.rejections
        ]
        return replace(batch, rejections=rejections)

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the pages; none if the first one has not been modified."""
        try:
            async for payload in self._pages(ask):
                yield payload
        except SourceError as error:
            if self._secrets is not None:
                error.detail = self._secrets.redact(error.detail)
            raise

    async def _pages(self, ask: Ask) -> AsyncIterator[Payload]:
        known = _validators(ask.checkpoint)
        walk, step = Walk(self._definition.pages), None
        while not isinstance(step, End):
            passes = PAST_THE_END if walk.may_pass_the_end else frozenset()
            answer = await self._get(self._next(step), ask, known, passes)
            if isinstance(answer, NotModified):
                if known is None or not self._has_next(answer):
                    return
                known = None  # there are new pages: request everything
                continue
            if answer.status in passes:
                return
            if not self._is_self_delimiting:
                _check_whole(answer)
            payload = answer.payload(page=walk.count)
            yield payload  # it is stored before anything is read from it
            page = await aside(payload, self._facts.of, answer, step is None)
            step, known = walk.after(page), None

    async def _get(
        self, url: Url, ask: Ask, known: Validators | None, passes: Collection[int]
    ) -> UpstreamResponse | NotModified:
        """Ask for one page, and once more with a new token when the one there was is refused."""
        signer = self._signer
        if signer is None or not self._url.is_same_host(url):
            return await self._answer(url, ask, known, passes)
        url = url.without_params(signer.params)
        await signer.prepare(url, ask.deadline, ask.traffic)
        try:
            return await self._answer(url, ask, known, passes, signer)
        except Unauthorized:
            if not signer.is_renewable:
                raise
            signer.forget()
            await signer.prepare(url, ask.deadline, ask.traffic)
            return await self._answer(url, ask, known, passes, signer)

    async def _answer(
        self,
        url: Url,
        ask: Ask,
        known: Validators | None,
        passes: Collection[int],
        signer: Signer | None = None,
    ) -> UpstreamResponse | NotModified:
        # After a redirect the pages may be on another host, which must not get our headers.
        headers = self._headers if self._url.is_same_host(url) else harmless(self._headers)
        return await self._client.get(
            url,
            ask.deadline,
            ask.traffic,
            validators=known,
            headers=headers,
            wanted=Wanted(headers=self._facts.headers, statuses=passes),
            sign=signer,
        )

    def _has_next(self, answer: NotModified) -> bool:
        is_paged = isinstance(self._definition.pages.paginator, LinkHeader)
        return is_paged and next_link(answer.headers.get("link", "")) is not None

    def _next(self, step: Step | None) -> Url:
        match step:
            case NextUrl(url):
                return parse(url)
            case NextParams(params):
                return self._url.with_params(params)
        return self._url


def _validators(checkpoint: Checkpoint | None) -> Validators | None:
    """Return the validators of a checkpoint, None without a URL."""
    if checkpoint is None or not checkpoint.url:
        return None
    return Validators(checkpoint.url, checkpoint.etag, checkpoint.last_modified)


def _check_whole(answer: UpstreamResponse) -> None:
    """Raise SourceUnavailable if a body may be truncated in the middle of a row."""
    is_ended = answer.body.endswith((b"\r", b"\n")) or answer.body.startswith(GZIP)
    if not answer.bounded and not is_ended:
        raise incomplete(parse(answer.url).label)


class FileSource(DefinedSource[R]):
    """A source that reads a local CSV file, in pages if it is large."""

    def __init__(self, definition: SourceDefinition[R], file: LocalFile, clock: Clock) -> None:
        super().__init__(definition)
        self._file = file
        self._clock = clock

    @property
    def host(self) -> str:
        """Return `file`, the host of all local files; they need no budget."""
        return HOST

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the pages of the file; none if it has not changed."""
        opened = await asyncio.to_thread(self._file.open)
        try:
            if ask.checkpoint is not None and ask.checkpoint.etag == opened.etag:
                ask.traffic.not_modified += 1
                return
            async for payload in self._pages(opened, ask):
                yield payload
            opened.check()
        finally:
            opened.close()

    async def _pages(self, opened: OpenFile, ask: Ask) -> AsyncIterator[Payload]:
        received_at = self._clock.now()
        columns = columns_of(self._definition.mapping.element)
        pages = pages_of(opened.text, self._file.content_type, columns.required, columns.fields)
        number = 0
        with self._file.reading():
            while (page := await asyncio.to_thread(next, pages, None)) is not None:
                ask.traffic.bytes += len(page.body)
                yield Payload(
                    url=self._file.url(page.line),
                    body=page.body,
                    content_type="text/csv; charset=utf-8",
                    received_at=received_at,
                    page=number,
                    etag=opened.etag,
                )
                number += 1
                if self._clock.now() >= ask.deadline:
                    raise late(self._file.name)
