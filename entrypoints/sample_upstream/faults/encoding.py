"""Faults of compression: cut, corrupt, mislabelled, or far larger than it looks."""

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache

from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, with_recovery

MEBIBYTE = 1024**2
BOMB_MEBIBYTES = 256
SPACES = b" " * MEBIBYTE
GZIP_START = bytes.fromhex("1f8b08000000000002ff")
ZSTANDARD_START = bytes.fromhex("28b52ffd") + bytes([0, 7 << 3])
ZSTANDARD_BLOCK_BYTES = 128 * 1024
PLAIN_BLOCK, REPEATED_BLOCK = 0, 1


def labelled(encoding: str, make: Callable[[Exchange], bytes]) -> Handler:
    """Return a handler that answers with these bytes, under this Content-Encoding."""

    async def play(exchange: Exchange) -> None:
        await exchange.show(make(exchange), [("Content-Encoding", encoding)])

    return play


def truncated(exchange: Exchange) -> bytes:
    """Return the first half of the compressed body."""
    packed = exchange.document.packed
    return packed[: len(packed) // 2]


def corrupt(exchange: Exchange) -> bytes:
    """Return the compressed body with some bytes in the middle overwritten."""
    packed = exchange.document.packed
    middle = len(packed) // 2
    return packed[:middle] + b"\xff" * 8 + packed[middle + 8 :]


@cache
def gzip_bomb() -> bytes:
    """Return a JSON list of only 256 MiB of blanks, as gzip.

    One mebibyte is compressed once and its bytes repeated, because compressing all of it would
    block every other connection.
    """
    checksum = zlib.crc32(b"[")
    for _ in range(BOMB_MEBIBYTES):
        checksum = zlib.crc32(SPACES, checksum)
    checksum = zlib.crc32(b"]", checksum)
    blocks = _deflate(b"[") + _deflate(SPACES) * BOMB_MEBIBYTES + _deflate(b"]", zlib.Z_FINISH)
    return GZIP_START + blocks + struct.pack("<II", checksum, BOMB_MEBIBYTES * MEBIBYTE + 2)


@cache
def zstandard_bomb() -> bytes:
    """Return the list as Zstandard (RFC 8878): plain blocks around blocks of one repeated blank."""
    blanks = _zstandard_block(REPEATED_BLOCK, ZSTANDARD_BLOCK_BYTES, b" ")
    repeats = BOMB_MEBIBYTES * MEBIBYTE // ZSTANDARD_BLOCK_BYTES
    start = ZSTANDARD_START + _zstandard_block(PLAIN_BLOCK, 1, b"[")
    return start + blanks * repeats + _zstandard_block(PLAIN_BLOCK, 1, b"]", is_last=True)


def _deflate(data: bytes, mode: int = zlib.Z_FULL_FLUSH) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(mode)


def _zstandard_block(kind: int, size: int, content: bytes, is_last: bool = False) -> bytes:
    return (size << 3 | kind << 1 | is_last).to_bytes(3, "little") + content


ENCODING = {
    **with_recovery(
        "U14",
        Fault("The gzip data ends half-way; Content-Length agrees.", labelled("gzip", truncated)),
    ),
    "U15-corrupt": Fault("The gzip data is damaged in the middle.", labelled("gzip", corrupt)),
    "U15-plain": Fault(
        "The plain body is labelled gzip.", labelled("gzip", lambda exchange: exchange.body)
    ),
    "U16-single": Fault(
        "A small gzip body unpacks to 256 MiB.", labelled("gzip", lambda _: gzip_bomb())
    ),
    "U16-double": Fault(
        "A tiny body, packed twice, unpacks to 256 MiB.",
        labelled("gzip, gzip", lambda _: gzip.compress(gzip_bomb(), mtime=0)),
    ),
    "U16-zstd": Fault(
        "A small unrequested Zstandard body unpacks to 256 MiB.",
        labelled("zstd", lambda _: zstandard_bomb()),
    ),
    "U16-br": Fault(
        "The plain body is labelled br, which was not requested.",
        labelled("br", lambda exchange: exchange.body),
    ),
}
