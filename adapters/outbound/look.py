"""Looks at an upstream over HTTP, or at an answer that was saved."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from adapters.outbound.formats.charsets import to_utf8
from adapters.outbound.formats.packed import unpacked
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.links import next_link
from adapters.outbound.polite.messages import NotModified, Wanted
from adapters.outbound.polite.urls import parse
from adapters.outbound.signing import Signer
from application.ports.datasets import Upstream
from application.ports.system import Secrets
from domain.errors import UnexpectedContent
from domain.guessed_pages import FirstAnswer
from domain.looks import Look
from domain.reports import Traffic
from domain.secrets import Auth

_WITHIN = timedelta(seconds=60)
#: So many lines of a table show what its columns are.
_ROWS = 500


class HttpUpstream(Upstream):
    """Asks through the polite client, signed as the operator says."""

    def __init__(self, client: PoliteClient, secrets: Secrets, auth: Sequence[Auth] = ()) -> None:
        self._client = client
        self._signer = Signer(auth, secrets, client)
        self._secrets = secrets

    async def look(self, url: str, params: Mapping[str, str]) -> Look:
        """Return the answer at a URL with these parameters; raise SourceError for none of use."""
        place = parse(url).with_params(params) if params else parse(url)
        place = place.without_params(self._signer.params)
        deadline, traffic = self._client.clock.now() + _WITHIN, Traffic()
        await self._signer.prepare(place, deadline, traffic)
        answer = await self._client.get(
            place, deadline, traffic, wanted=Wanted(headers=None), sign=self._signer
        )
        if isinstance(answer, NotModified):  # which nothing was asked for
            raise UnexpectedContent(f"{place.label} answered 304, though nothing was known of it")
        link = next_link(answer.headers.get("link", ""))
        following = parse(answer.url).leads_to(link) if link else None
        format, body = _read(answer.body, answer.content_type)
        return Look(
            answer=FirstAnswer(
                url=answer.url,
                headers=answer.headers,
                next_link=following.text if following else None,
                body=body,
            ),
            format=format,
        )


class SavedUpstream(Upstream):
    """An answer in a file, which is all there is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._first = ""

    async def look(self, url: str, params: Mapping[str, str]) -> Look:
        """Return the answer for the first page; raise UnexpectedContent for any other."""
        self._first = self._first or url
        if params or url != self._first:
            raise UnexpectedContent("there is one saved answer, and no other page")
        format, body = _read(self._file.read_bytes(), "")
        return Look(answer=FirstAnswer(url=url, body=body), format=format)


def _read(raw: bytes, content_type: str) -> tuple[str, Any]:
    """Return how a body is written, and what it holds; raise UnexpectedContent otherwise."""
    text = to_utf8(unpacked(raw), content_type).strip()
    if text[:1] in (b"{", b"["):
        try:
            return "json", msgspec.json.decode(text)
        except msgspec.DecodeError:
            pass
        try:
            return "ndjson", [msgspec.json.decode(line) for line in text.splitlines() if line]
        except msgspec.DecodeError as error:
            raise UnexpectedContent("the answer is no valid JSON", code="incomplete") from error
    if text.startswith(b"<"):
        raise UnexpectedContent("the answer is an HTML page or XML; JSON, NDJSON or CSV is read")
    return "csv", _table(text)


def _table(text: bytes) -> list[dict[str, Any]]:
    lines = text.decode(errors="replace").splitlines()[:_ROWS]
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    if header.count(delimiter) == 0 or not rows:
        raise UnexpectedContent("the answer is no JSON, NDJSON or CSV with a header and rows")
    return [{name: _cell(value) for name, value in row.items() if name} for row in rows]


def _cell(text: str | None) -> Any:
    """Return a cell as a number where it looks like one and is written back the same."""
    if not text:
        return None
    for read in (int, float):
        try:
            value = read(text)
        except ValueError:
            continue
        if str(value) == text or read is float:
            return value
    return text
