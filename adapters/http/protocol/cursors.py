"""Cursors in URLs: opaque, signed text."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from adapters.http.protocol.links import link_to
from domain.dataset import Dataset
from domain.errors import InvalidCursor, MalformedQuery
from domain.paging import Cursor

#: The limit of a cursor's length, so that it fits into a URL.
LONGEST = 6000
_MAC = 16


def records_of(dataset: Dataset[Any]) -> str:
    """Return the name of a dataset's list of records, for which its cursors are signed."""
    return f"{dataset.name} {dataset.fingerprint}"


class CursorSigner:
    """Conversion of cursors to signed text and back, each for one list."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"catchment-cursor").digest()

    def write(self, of: str, cursor: Cursor) -> str:
        """Return a cursor as text; raise MalformedQuery if its values do not fit into a URL."""
        content = msgspec.msgpack.encode((cursor.position, cursor.query_digest))
        signed = self._mac(of, content) + content
        text = _text_of(signed)
        if len(text) > LONGEST:
            raise MalformedQuery("sort", "these values are too long to page by; sort by another")
        return text

    def read(self, of: str, text: str) -> Cursor:
        """Return the cursor in a text; raise InvalidCursor unless it was signed for this list."""
        problem = InvalidCursor("cursor", "this is not a cursor of ours; start from the first page")
        if len(text) > LONGEST:
            raise problem
        try:
            signed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError) as error:
            raise problem from error
        if _text_of(signed) != text:
            raise problem  # the decoder ignores characters that are not base64
        mac, content = signed[:_MAC], signed[_MAC:]
        if not hmac.compare_digest(mac, self._mac(of, content)):
            raise problem
        position, query_digest = msgspec.msgpack.decode(
            content, type=tuple[tuple[object, ...], str]
        )
        return Cursor(position, query_digest)

    def position(self, of: str, text: str, query_digest: str) -> tuple[Any, ...]:
        """Return a cursor's position; raise InvalidCursor if it belongs to another query."""
        cursor = self.read(of, text)
        if cursor.query_digest != query_digest:
            raise InvalidCursor(
                "cursor", "this cursor belongs to another filter; start from the first page"
            )
        return cursor.position

    def _mac(self, of: str, content: bytes) -> bytes:
        return hmac.digest(self._key, f"{of} ".encode() + content, "sha256")[:_MAC]


def next_page_of(path: str, parameters: Iterable[tuple[str, str]], cursor: str) -> str:
    """Return the `Link` to the next page of a request with these parameters."""
    kept = [(n, v) for n, v in parameters if n not in ("cursor", "offset")]
    url = f"{link_to(quote(path))}?{urlencode([*kept, ('cursor', cursor)])}"
    return f'<{url}>; rel="next"'


def _text_of(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
