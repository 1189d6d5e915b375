"""The calls of the demo: what a client does with curl, done here to show what comes of it."""

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from typing import Any


class Caller:
    """Asks the service at one address, as anybody could."""

    def __init__(self, url: str, admin: str, password: str) -> None:
        self.url = url
        self.password = password
        self._admin = admin

    async def get(self, path: str, token: str = "") -> Any:
        """The answer to a GET."""
        return await self._call("GET", path, token)

    async def post(self, path: str, body: dict[str, str] | None = None) -> Any:
        """The answer to a POST, with a JSON body if there is one."""
        return await self._call("POST", path, "", body)

    async def status(self, path: str) -> int:
        """The status a stranger gets."""
        try:
            await self.get(path)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        return 200

    async def log_in(self) -> str:
        """The admin's access token."""
        return await self._token(self._admin, self.password)

    async def sign_up(self, name: str) -> str:
        """The access token of a new user."""
        password = secrets.token_urlsafe(12)
        await self.post("/auth/signup", {"username": name, "password": password})
        return await self._token(name, password)

    async def _token(self, name: str, password: str) -> str:
        granted = await self.post("/auth/login", {"username": name, "password": password})
        return str(granted["access_token"])

    async def _call(
        self, method: str, path: str, token: str, body: dict[str, str] | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.url + path, data=data, headers=headers, method=method
        )

        def call() -> Any:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)

        return await asyncio.to_thread(call)
