"""The protocol of the server: one request at a time, each within bounds of size and time."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.protocol.framing import MAX_HEAD_BYTES
from adapters.http.protocol.http1 import BODY_S, HEAD_S, LINGER_S
from adapters.http.protocol.transport import UNREAD_S
from tests.adapters.http.protocol.wire import App, Receive, Scope, Send, Wire

HOST = b"Host: a\r\n"
CHUNKED = b"POST /p HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(path: bytes, more: bytes = b"") -> bytes:
    """Return a request without a body."""
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + more + b"\r\n"


def post(path: bytes, body: bytes, more: bytes = b"") -> bytes:
    """Return a request with a body."""
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + more
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Return the data in pieces of that size."""
    return (data[start : start + size] for start in range(0, len(data), size))


# ---------------------------------------------------------------- sizes


START = b"GET /a HTTP/1.1\r\n" + HOST
ENDLESS = {
    "a header's value": (START + b"X-A: ", b"a", "headers_too_large"),
    "a header's name": (START, b"a", "headers_too_large"),
    "headers": (START, b"X-A: a\r\n", "headers_too_large"),
    "a path": (b"GET /", b"a", "url_too_long"),
    "a query": (b"GET /?", b"a", "url_too_long"),
}


@pytest.mark.parametrize("size", [1, 1000, 300_000])
@pytest.mark.parametrize("name", ENDLESS)
async def test_an_endless_head_is_refused_and_no_more_of_it_is_read(name: str, size: int) -> None:
    start, again, code = ENDLESS[name]
    flood = start + again * (50_000 // len(again))
    wire = Wire()

    for piece in in_pieces(flood[:MAX_HEAD_BYTES], size):
        wire.protocol.data_received(piece)
    await wire.send(b"")
    assert wire.app.asked == []
    for piece in in_pieces(flood[MAX_HEAD_BYTES:] + get(b"/b"), size):
        wire.protocol.data_received(piece)
    answer = await wire.send(b"")

    assert wire.app.asked == [code]
    assert b"connection: close" in answer
    assert wire.is_ended


async def test_a_head_of_exactly_the_most_is_taken_and_one_byte_more_is_not() -> None:
    wire, refused = Wire(), Wire()
    room = MAX_HEAD_BYTES - len(get(b"/a", b"X-A: \r\n"))

    await wire.send(get(b"/a", b"X-A: " + b"a" * room + b"\r\n"))
    await refused.send(get(b"/a", b"X-A: " + b"a" * (room + 1) + b"\r\n"))

    assert wire.app.asked == ["/a"]
    assert refused.app.asked == ["headers_too_large"]


async def test_the_heads_of_later_requests_are_counted_anew() -> None:
    wire = Wire()
    large = get(b"/a", b"X-A: " + b"a" * (MAX_HEAD_BYTES // 2) + b"\r\n")

    await wire.send(large * 3)

    assert wire.app.asked == ["/a"] * 3


@pytest.mark.parametrize("piece", [b"X-A: a\r\n" * 5000, b"X-A: " + b"a" * 40_000])
async def test_endless_trailers_are_refused(piece: bytes) -> None:
    wire = Wire()

    await wire.send(CHUNKED + b"1\r\na\r\n0\r\n", piece)

    assert wire.app.asked == ["/p", "headers_too_large"]
    assert wire.app.left == 1
    assert wire.is_ended


async def test_trailers_become_no_headers() -> None:
    wire = Wire()

    await wire.send(CHUNKED + b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n" + get(b"/b"))

    assert wire.app.asked == ["/p", "/b"]
    assert b"authorization" not in dict(wire.app.scopes[0]["headers"])


# ---------------------------------------------------------------- one at a time


async def test_a_request_waits_for_its_turn_and_nothing_is_read_meanwhile() -> None:
    wire = Wire()
    wire.app.let.clear()

    await wire.send(get(b"/1") + get(b"/2") * 50)

    assert wire.app.asked == ["/1"]
    assert not wire.is_reading
    wire.app.let.set()
    await wire.send(b"")
    assert wire.app.asked == ["/1"] + ["/2"] * 50
    assert wire.answered.count(b"</2 >") == 50
    assert wire.is_reading


async def test_what_waits_for_its_turn_is_forgotten_with_the_connection() -> None:
    wire = Wire()
    wire.app.let.clear()
    await wire.send(get(b"/1") + get(b"/2") * 50)

    wire.leave()
    wire.app.let.set()
    await wire.send(b"")

    assert wire.app.asked == ["/1"]


async def test_a_request_that_reads_does_not_let_more_in_before_its_turn() -> None:
    wire = Wire()
    wire.app.let.clear()
    await wire.send(post(b"/1", b"a") + get(b"/2"))

    wire.protocol.flow.resume_reading()

    assert not wire.is_reading


async def test_a_body_is_read_as_fast_as_it_is_wanted() -> None:
    wire = Wire(App(reads=False))
    wire.app.let.clear()
    body = b"a" * 200_000

    await wire.send(post(b"/1", body)[:100_000])
    assert not wire.is_reading
    wire.app.let.set()
    await wire.send(b"", post(b"/1", body)[100_000:] + get(b"/2"))

    assert wire.app.asked == ["/1", "/2"]


async def test_line_ends_between_requests_are_passed_over() -> None:
    wire = Wire()

    await wire.send(b"\r\n" + post(b"/1", b"a") + b"\r\n", b"\r\n", get(b"/2"))
    await wire.elapse(29)

    assert wire.app.asked == ["/1", "/2"]
    assert not wire.is_closed


# ---------------------------------------------------------------- bodies


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    extensions=st.lists(st.sampled_from([b"", b";a", b" ;a=b", b'; a="b;c"']), min_size=8),
    trailers=st.lists(st.sampled_from([b"A: b\r\n", b"C:\r\n"]), max_size=3),
    cuts=st.lists(st.integers(0, 500), max_size=12),
)
async def test_a_body_in_chunks_is_whole_however_it_is_cut(
    chunks: list[bytes], extensions: list[bytes], trailers: list[bytes], cuts: list[int]
) -> None:
    sized = zip(chunks, extensions, strict=False)
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(c), extension, c) for c, extension in sized)
    sent = CHUNKED + body + b"0\r\n" + b"".join(trailers) + b"\r\n" + get(b"/next")
    places = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    wire = Wire()

    for start, end in pairwise(places):
        wire.protocol.data_received(sent[start:end])
    await wire.send(b"")

    assert wire.app.asked == ["/p", "/next"]
    assert b"</p %b>" % b"".join(chunks) in wire.answered


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1\na\r\n",
        b"1\r\nab",
        b"1\r\na\n0\r\n",
        b"1;a\rb\r\na\r\n",
        b"1111111111111111\r\n",
        b"1;" + b"a" * 2000,
        b"1;" + b"a" * 2000 + b"\r\na\r\n",
        b"0\r\nA\r\n\r\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\nA: b\n\r\n\r\n",
        b"0\r\n b\r\n\r\n",
    ],
)
async def test_what_is_no_body_in_chunks_is_refused(body: bytes) -> None:
    wire = Wire()

    await wire.send(CHUNKED + body)

    assert wire.app.asked == ["/p", "malformed_request"]
    assert wire.is_ended


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked, chunked", b"identity"])
async def test_a_body_in_another_coding_is_refused(coding: bytes) -> None:
    wire = Wire()

    await wire.send(b"POST /p HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n")

    assert wire.app.asked == ["malformed_request"]


async def test_a_body_is_asked_for_when_it_is_wanted() -> None:
    wire = Wire()
    head, body = post(b"/p", b"abc", b"Expect: 100-continue\r\n")[:-3], b"abc"

    said = await wire.send(head)
    answer = await wire.send(body)

    assert said == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"</p abc>" in answer


async def test_an_answer_that_has_begun_is_broken_off_when_its_body_cannot_be_read() -> None:
    class Hasty(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200})
            await self.let.wait()

    wire = Wire(Hasty())
    wire.app.let.clear()

    await wire.send(CHUNKED, b"x\r\n")

    assert wire.is_broken_off


# ---------------------------------------------------------------- times


async def test_c11_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    wire = Wire()

    await wire.elapse(HEAD_S - 1)
    assert not wire.is_closed
    await wire.elapse(1)

    assert wire.is_closed
    assert wire.answered == b""


async def test_c11_a_head_has_its_time_however_often_a_byte_of_it_comes() -> None:
    wire = Wire()
    await wire.send(get(b"/1"))

    for byte in get(b"/2")[: int(HEAD_S)]:
        assert wire.app.asked == ["/1"]
        await wire.send(bytes([byte]))
        await wire.elapse(1)

    assert wire.app.asked == ["/1", "head_too_slow"]
    await wire.elapse(LINGER_S)
    assert wire.is_closed


async def test_a_head_in_time_ends_its_time() -> None:
    wire = Wire()
    wire.app.let.clear()

    await wire.send(get(b"/1")[:9])
    await wire.elapse(HEAD_S - 1)
    await wire.send(get(b"/1")[9:])
    await wire.elapse(100)

    assert wire.app.asked == ["/1"]
    assert not wire.is_closed


async def test_an_unused_connection_is_closed_later() -> None:
    wire = Wire()
    await wire.send(get(b"/1"))

    await wire.elapse(29)
    assert not wire.is_closed
    await wire.elapse(1)

    assert wire.is_closed


async def test_c11_a_body_has_its_time() -> None:
    wire = Wire()

    await wire.send(post(b"/1", b"ab")[:-1])
    await wire.elapse(BODY_S)

    assert wire.app.asked == ["/1", "body_too_slow"]
    assert wire.app.left == 1
    assert wire.is_ended


async def test_a_body_that_nobody_reads_has_its_time_as_well() -> None:
    wire = Wire(App(reads=False))

    answer = await wire.send(post(b"/1", b"ab")[:-1])
    assert b"</1 >" in answer
    await wire.elapse(BODY_S)

    assert wire.app.asked == ["/1"]
    assert wire.is_ended
    await wire.elapse(LINGER_S)
    assert wire.is_closed


async def test_a_refusal_can_be_read_while_the_client_still_sends() -> None:
    wire = Wire()
    await wire.send(b"x" * 100)
    assert wire.is_ended
    assert not wire.is_closed

    await wire.send(b"x" * 100_000)
    assert wire.is_reading
    await wire.elapse(LINGER_S)

    assert wire.is_broken_off


# ---------------------------------------------------------------- clients that do not read


async def test_a_client_that_reads_nothing_of_its_answer_is_cut_off() -> None:
    wire = Wire()
    await wire.send(get(b"/1"))
    wire.unsent = 100_000
    wire.protocol.pause_writing()

    await wire.elapse(UNREAD_S)

    assert wire.is_broken_off


async def test_a_client_that_reads_slowly_is_not() -> None:
    wire = Wire()
    wire.app.let.clear()
    await wire.send(get(b"/1"))
    wire.unsent = 100_000
    wire.protocol.pause_writing()

    for _ in range(50):
        wire.unsent -= 1000
        await wire.elapse(UNREAD_S)
    wire.protocol.resume_writing()
    await wire.elapse(UNREAD_S)

    assert not wire.is_broken_off


async def test_an_answer_that_is_not_read_to_its_end_does_not_stay_for_ever() -> None:
    closing, kept = Wire(), Wire()
    closing.unsent = kept.unsent = 1000

    await closing.send(get(b"/1", b"Connection: close\r\n"))
    await kept.send(get(b"/1"))
    assert closing.is_closed
    assert not closing.is_broken_off
    await closing.elapse(UNREAD_S)
    await kept.elapse(30)

    assert closing.is_broken_off
    assert kept.is_broken_off


# ---------------------------------------------------------------- what is spoken


async def test_a_url_that_is_not_ascii_is_refused_with_advice() -> None:
    for url in ("/é", "/?q=é", "/a/%C3%A9/é"):
        wire = Wire()

        answer = await wire.send(get(url.encode()))

        assert wire.app.asked == ["malformed_request"]
        assert b"percent-encode" in answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\x16\x03\x01",
        b"GET a:1 HTTP/1.1\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_at_once(head: bytes) -> None:
    wire = Wire()

    answer = await wire.send(head)

    assert wire.app.asked == ["malformed_request"]
    assert b"percent-encode" not in answer


async def test_a_url_without_a_path_is_that_of_the_root() -> None:
    wire = Wire()

    await wire.send(b"GET http://a?b HTTP/1.1\r\n" + HOST + b"\r\n")

    assert (wire.app.asked, wire.app.scopes[0]["query_string"]) == (["/"], b"b")


async def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    wire = Wire()

    answer = await wire.send(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"</1 >"
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert wire.is_closed


async def test_a_client_of_http_1_0_gets_the_length_where_it_is_known() -> None:
    wire = Wire(App(headers=((b"content-length", b"5"),)))

    answer = await wire.send(b"GET /1 HTTP/1.0\r\n\r\n")

    assert b"content-length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n</1 >")


async def test_a_client_of_http_1_1_gets_chunks() -> None:
    answer = await Wire().send(get(b"/1"))

    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"5\r\n</1 >\r\n0\r\n\r\n")
