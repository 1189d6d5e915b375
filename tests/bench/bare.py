"""The bare limit: an ASGI function that sends fixed bytes, on the same server."""

import sys

import uvicorn

BODY = b"x" * 2400


async def app(scope: dict, receive: object, send: object) -> None:
    """Send the same bytes for any request."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2400")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off",
        access_log=False, log_config=None, server_header=False,
    )  # fmt: skip
