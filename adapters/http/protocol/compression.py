"""Compression: gzip for clients that accept it.

A cached page is compressed once, although each answer ends differently: the compressed part ends on
a byte boundary, and the end follows uncompressed in a stored block. So there is one gzip member,
which every client reads; many clients read only the first of several.
"""

import re
import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from adapters.http.protocol.asgi import App, Line, Message, Receive, Scope, Send, header_of

#: Smaller bodies fit into one packet anyway.
MIN_BYTES = 1024
ENCODED: Line = (b"content-encoding", b"gzip")
VARIES = b"Accept-Encoding"

_GZIP = 16 + zlib.MAX_WBITS
#: Cached bodies are compressed well, others quickly.
_CACHED_LEVEL = 6
SENT_LEVEL = 1
_LONGEST_STORED = 65_535
_MEDIA_TYPES = (b"application/json", b"application/x-ndjson", b"text/csv", b"text/html")
_WEIGHT = re.compile(r"\s*q\s*=\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*", re.IGNORECASE)


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Return whether an Accept-Encoding header accepts gzip, by name or by `*`."""
    weights: dict[str, float] = {}
    for item in accept_encoding.decode("latin-1").lower().split(",")[:50]:
        coding, _, parameter = item.partition(";")
        weights.setdefault(coding.strip(), _weight(parameter))
    named = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    return max(named, default=weights.get("*", 0.0)) > 0


def wants_gzip(scope: Scope) -> bool:
    """Return whether the client of a request accepts gzip."""
    return accepts_gzip(header_of(scope, b"accept-encoding").encode("latin-1"))


def _weight(parameter: str) -> float:
    if not parameter.strip():
        return 1.0
    found = _WEIGHT.fullmatch(parameter)
    return float(found[1]) if found else 0.0


def gzip(body: bytes, level: int = SENT_LEVEL) -> bytes:
    """Return a body compressed, always to the same bytes."""
    return zlib.compress(body, level, wbits=_GZIP)


def gzip_kept(body: bytes) -> bytes:
    """Return a body compressed, for a cache."""
    return gzip(body, _CACHED_LEVEL)


class Packed(NamedTuple):
    """A compressed body without its end, which differs from answer to answer."""

    start: bytes
    crc: int
    size: int

    def with_ending(self, ending: bytes) -> bytes:
        """Return the whole body; an end may have 64 KiB."""
        length = len(ending)
        if length > _LONGEST_STORED:
            raise ValueError("an ending of this length does not fit into one stored block")
        stored = struct.pack("<BHH", 1, length, length ^ 0xFFFF)
        crc = zlib.crc32(ending, self.crc)
        trailer = struct.pack("<II", crc, (self.size + length) & 0xFFFFFFFF)
        return b"".join((self.start, stored, ending, trailer))


def pack(body: bytes, level: int = _CACHED_LEVEL) -> Packed:
    """Compress a body without its end."""
    compressor = zlib.compressobj(level, wbits=_GZIP)
    start = compressor.compress(body) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return Packed(start, zlib.crc32(body), len(body))


def gzip_stream(send: Send) -> Send:
    """Return a `send` that compresses each part of a body at once, without waiting for the next."""
    compressor = zlib.compressobj(SENT_LEVEL, wbits=_GZIP)

    async def compressed(message: Message) -> None:
        if message["type"] == "http.response.body":
            ends = not message.get("more_body")
            body = compressor.compress(message.get("body", b""))
            body += compressor.flush(zlib.Z_FINISH if ends else zlib.Z_SYNC_FLUSH)
            message = {**message, "body": body}
        await send(message)

    return compressed


def compressing(app: App, never: Iterable[str]) -> App:
    """Wrap an application to compress its answers, if they are large enough.

    Answers below a path of `never` are not compressed, nor those with a strong ETag, which is that
    of the uncompressed bytes.
    """
    never = tuple(never)

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(never):
            send = _compressed(send, wants_gzip(scope))
        await app(scope, receive, send)

    return answered


def _compressed(send: Send, wanted: bool) -> Send:
    start: Message | None = None

    async def compressed(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_worth_it(message):
            message["headers"] = [*message["headers"], (b"vary", VARIES)]
            if wanted:
                start = message
                return
        if start is not None:
            begun, start = start, None
            body = message.get("body", b"")
            if len(body) >= MIN_BYTES and not message.get("more_body"):
                body = gzip(body)
                kept = [line for line in begun["headers"] if line[0] != b"content-length"]
                begun["headers"] = [*kept, ENCODED, (b"content-length", b"%d" % len(body))]
                message = {**message, "body": body}
            await send(begun)
        await send(message)

    return compressed


def _is_worth_it(start: Message) -> bool:
    values = dict(start.get("headers", ()))
    return (
        200 <= start["status"] < 300
        and values.get(b"content-type", b"").startswith(_MEDIA_TYPES)
        and b"content-encoding" not in values
        and not values.get(b"etag", b"").startswith(b'"')
    )
