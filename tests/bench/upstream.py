"""The upstream of the benchmarks: pages of posts, as many as wanted and as different as wanted.

`/set?count=100000&every=100&salt=2&first=1&spaces=0` steers it: from then on there are so many
posts, every hundredth of which has that salt in its title, and so many spaces after each page.
"""

import sys
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

PAGE = 1000
#: About as long as those of JSONPlaceholder are.
_TEXT = (
    "quia et suscipit suscipit recusandae consequuntur expedita et cum reprehenderit molestiae ut"
    " ut quas totam nostrum rerum est autem sunt rem eveniet architecto"
)
_steered = {"count": 0, "every": 1, "salt": 0, "first": 1, "spaces": 0}


async def app(scope: dict[str, Any], receive: object, send: Any) -> None:
    """Answer `/set` and, at any other path, one page of posts."""
    query = dict(parse_qsl(scope["query_string"].decode()))
    if scope["path"] == "/set":
        _steered.update({name: int(value) for name, value in query.items()})
        await _answer(send, b"{}", [])
        return
    number, size = int(query.get("_page", 1)), int(query.get("_limit", PAGE))
    s = _steered
    start = s["first"] + (number - 1) * size
    end = min(start + size, s["first"] + s["count"])
    body = _page(start, end, s["every"], s["salt"]) + b" " * s["spaces"]
    headers = []
    if end < s["first"] + s["count"]:
        host = dict(scope["headers"])[b"host"].decode()
        url = f"http://{host}{scope['path']}?_page={number + 1}&_limit={size}"
        headers.append((b"link", f'<{url}>; rel="next"'.encode()))
    await _answer(send, body, headers)


@lru_cache(maxsize=110)
def _page(start: int, end: int, every: int, salt: int) -> bytes:
    posts = (
        f'{{"userId":{(number - 1) // 10 + 1},"id":{number},"title":"the title of post {number}'
        f'{f", {salt}" if salt and number % every == 0 else ""}","body":"{_TEXT}"}}'
        for number in range(start, end)
    )
    return f"[{','.join(posts)}]".encode()


async def _answer(send: Any, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = b"%d" % len(body)
    fixed = [(b"content-type", b"application/json"), (b"content-length", length)]
    start = {"type": "http.response.start", "status": 200, "headers": fixed + headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off",
        access_log=False, log_config=None, server_header=False,
    )  # fmt: skip
