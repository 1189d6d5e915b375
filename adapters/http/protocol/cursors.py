"""Cursors on the wire: opaque text that only we can have written."""

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

#: No cursor of ours is longer: it must fit into a URL.
LONGEST = 6000
_MAC = 16


def records_of(dataset: Dataset[Any]) -> str:
    """What the cursors of a dataset's records are signed for."""
    return f"{dataset.name} {dataset.fingerprint}"


class CursorSigner:
    """Writes cursors as signed text and reads them back, each for the list it belongs to."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"catchment-cursor").digest()

    def write(self, of: str, cursor: Cursor) -> str:
        """The cursor as text for a URL; MalformedQuery where the sorted text does not fit one."""
        content = msgspec.msgpack.encode((cursor.position, cursor.query_digest))
        signed = self._mac(of, content) + content
        text = _text_of(signed)
        if len(text) > LONGEST:
            raise MalformedQuery("sort", "these values are too long to page by; sort by another")
        return text

    def read(self, of: str, text: str) -> Cursor:
        """The cursor in a text; InvalidCursor unless we wrote it for this list."""
        problem = InvalidCursor("cursor", "this is not a cursor of ours; start from the first page")
        if len(text) > LONGEST:
            raise problem
        try:
            signed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError) as error:
            raise problem from error
        if _text_of(signed) != text:
            raise problem  # the decoder passes over what is not base64
        mac, content = signed[:_MAC], signed[_MAC:]
        if not hmac.compare_digest(mac, self._mac(of, content)):
            raise problem
        position, question = msgspec.msgpack.decode(content, type=tuple[tuple[object, ...], str])
        return Cursor(position, question)

    def place(self, of: str, text: str, question: str) -> tuple[Any, ...]:
        """Where a page of this list begins; InvalidCursor unless written for this very question."""
        cursor = self.read(of, text)
        if cursor.query_digest != question:
            raise InvalidCursor(
                "cursor", "this cursor belongs to another filter; start from the first page"
            )
        return cursor.position

    def _mac(self, of: str, content: bytes) -> bytes:
        return hmac.digest(self._key, f"{of} ".encode() + content, "sha256")[:_MAC]


def next_page_of(path: str, parameters: Iterable[tuple[str, str]], cursor: str) -> str:
    """The `Link` to the page after the one that was asked for with these parameters."""
    kept = [(n, v) for n, v in parameters if n not in ("cursor", "offset")]
    url = f"{link_to(quote(path))}?{urlencode([*kept, ('cursor', cursor)])}"
    return f'<{url}>; rel="next"'


def _text_of(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
