"""CSV files of crypto assets: a user's own list, on this machine or somewhere on the web."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from adapters.outbound.csv_pages import pages_of
from adapters.outbound.files import HOST, LocalFile, OpenFile, file_of, first_line
from adapters.outbound.formats.bounds import MAX_RECORDS, check_rejections, too_many_records
from adapters.outbound.formats.charsets import to_utf8
from adapters.outbound.formats.csv import CsvRow, Header, header_of, line_ends
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.failures import incomplete, late
from adapters.outbound.polite.replies import NotModified
from adapters.outbound.polite.urls import parse
from application.ports.ingest import Ask, Source
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset, checked, slug_of
from domain.fields import Field
from domain.payloads import Batch, Payload
from domain.reports import Rejection

REQUIRED = ("symbol", "name", "price_usd")

#: The columns that are read, and the fields they fill; all others are passed over.
_FIELDS = {
    "id": CRYPTO_ASSETS.fields["source_id"],
    **{
        name: CRYPTO_ASSETS.fields[name]
        for name in (
            *REQUIRED,
            "rank",
            "volume_24h_usd",
            "market_cap_usd",
            "percent_change_24h",
            "updated_at",
        )
    },
}
_EXCERPT = 200
_REASON = 200


class CsvAssetsSource(Source[CryptoAsset]):
    """The assets in one CSV file, named by its path, its file:// URL, or its URL on the web."""

    name = "csv"
    normaliser_version = "csv-1"

    def __init__(self, client: PoliteClient, url: str) -> None:
        self._client = client
        self._url = url
        self._file = file_of(url)
        self._host = HOST if self._file else parse(url).key

    @property
    def host(self) -> str:
        """The host it asks; that of a local file is `file`, and asking it costs nothing."""
        return self._host

    # ------------------------------------------------------------ asking

    def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the file, a large local one in pages, or nothing when it has not changed."""
        return self._read(self._file, ask) if self._file else self._download(ask)

    async def _download(self, ask: Ask) -> AsyncIterator[Payload]:
        # Validators speak of exactly one URL.
        known = ask.checkpoint if ask.checkpoint and ask.checkpoint.url == self._url else None
        answer = await self._client.get(
            self._url,
            ask.deadline,
            ask.traffic,
            etag=known.etag if known else None,
            last_modified=known.last_modified if known else None,
            accept="text/csv",
        )
        if isinstance(answer, NotModified):
            return
        if not answer.bounded and not answer.body.endswith((b"\r", b"\n")):
            # A row that is cut short can look whole, with a price that lacks its last digits.
            raise incomplete(parse(answer.url).place)
        yield answer.payload(page=0)

    async def _read(self, file: LocalFile, ask: Ask) -> AsyncIterator[Payload]:
        opened = await asyncio.to_thread(file.open)
        try:
            if ask.checkpoint is not None and ask.checkpoint.etag == opened.etag:
                ask.traffic.not_modified += 1
                return
            async for payload in self._pages(file, opened, ask):
                yield payload
            opened.check()
        finally:
            opened.close()

    async def _pages(self, file: LocalFile, opened: OpenFile, ask: Ask) -> AsyncIterator[Payload]:
        clock = self._client.clock
        received_at = clock.now()
        pages = pages_of(opened.content, file.content_type, REQUIRED, _FIELDS)
        number = 0
        with file.reading():
            while (page := await asyncio.to_thread(next, pages, None)) is not None:
                ask.traffic.bytes += len(page.body)
                yield Payload(
                    url=file.url(page.line),
                    body=page.body,
                    content_type="text/csv; charset=utf-8",
                    received_at=received_at,
                    page=number,
                    etag=opened.etag,
                )
                number += 1
                if clock.now() >= ask.deadline:
                    raise late(file.name)

    # ------------------------------------------------------------ reading

    def normalise(self, payload: Payload) -> Batch[CryptoAsset]:
        """Read row by row; a row that cannot be read is a rejection, with its line."""
        text = to_utf8(payload.body, payload.content_type)
        # A row has a line at least, and lines are counted at once.
        if line_ends(text) > MAX_RECORDS:
            raise too_many_records()
        header = header_of(text, REQUIRED, _FIELDS)
        columns = _Columns(header)
        line = first_line(payload.url) or header.row.next_line
        batch: Batch[CryptoAsset] = Batch([], [])
        for row in header.layout.rows(text, header.row.end, line):
            if row.is_blank:
                continue
            check_rejections(batch)
            try:
                asset = CryptoAsset(source=self.name, **columns.read(row))
                batch.records.append(checked(asset, payload.received_at))
            except ValueError as error:
                batch.rejections.append(_rejection(row, error))
        return batch


class _Columns:
    """Where in a row the fields of an asset stand."""

    def __init__(self, header: Header) -> None:
        self._places = [
            (column, field, header.columns.index(column))
            for column, field in _FIELDS.items()
            if column in header.columns
        ]

    def read(self, row: CsvRow) -> dict[str, Any]:
        """The fields of a row by name; a ValueError says what is wrong with it."""
        if row.reason:
            raise ValueError(row.reason)
        read = {
            field.name: _parsed(column, field, text)
            for column, field, place in self._places
            if (text := row.cells[place].strip())
        }
        if missing := [name for name in REQUIRED if name not in read]:
            raise ValueError(f"{missing[0]} is empty")
        read.setdefault("source_id", slug_of(read["symbol"], read["name"]))
        return read


def _parsed(column: str, field: Field, text: str) -> Any:
    try:
        return field.parse(text)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def _rejection(row: CsvRow, error: ValueError) -> Rejection:
    excerpt = row.raw[: _EXCERPT * 4].decode(errors="replace")[:_EXCERPT]
    return Rejection(f"line {row.line}", str(error)[:_REASON], excerpt)
