"""P32: secrets that were given to us, or that we gave, are in no log, no answer and no table."""

import base64
import contextlib
import re
from collections.abc import Iterator

import asyncpg
import httpx

from tests.prove.clients import client, until
from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers
from tests.services.operator import Operator, operator, status

ADMIN = "canary-admin"
GIVEN = {
    "secret key": "canary-secret-key-of-more-than-32-bytes",
    "admin password": "canary-admin-password",
    "another password": "canary-another-password",
    "wrong password": "canary-wrong-password",
    "token of GitHub": "canary-github-token",
    "token of alerts": "another-token",
    "password of the database": "canary-database-password",
}
VALUES = {"dataset": "posts", "id": "1", "source": "csv", "source_id": "btc", "time": "1"}
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def prove(servers: Servers) -> Figure:
    """Have everything done that touches a secret, well and badly, and look for all of them."""
    settings = await servers.settings()
    database = settings["CATCHMENT_DATABASE_URL"]
    bodies: dict[str, str] = {}
    secrets = dict(GIVEN)
    async with operator() as listening, crew(**(settings | _given(database))) as hired:
        hired.settings["CATCHMENT_ALERT_URL"] = listening.url
        hired.settings["CATCHMENT_GITHUB_URL"] = hired.upstream.url("")
        api = await hired.api(CATCHMENT_LOG_FORMAT="json")
        await hired.worker()
        await hired.scheduler()
        listening.replies += [status("500 Broken"), b"", status("302 Elsewhere", "Location: /x")]
        async with client(api.url, seconds=30) as asking:
            tokens = await _lived(hired, asking, bodies)
            secrets |= tokens
            await _asked_everything(asking, tokens["access token"], bodies)
            await _broken(servers, hired, asking, bodies)
        await _alerted(listening)
        for command in ("config check", "health", "prune"):
            bodies[command] = await hired.output_of(*command.split())
        hits = list(_hits(secrets, {"log": hired.said, **bodies}))
        hits += list(_hits(secrets, await _dumped(database)))
    for hit in hits:
        print("found:", hit, flush=True)
    more = {"secrets": len(secrets), "answers": len(bodies), "alerts": len(listening.heard)}
    ok = not hits and len(listening.heard) > 0
    return reported("P32", f"hits:{len(hits)}", "hits:0", ok, **more)


def _given(database: str) -> dict[str, str]:
    with_password = database.replace("postgres@", f"postgres:{GIVEN['password of the database']}@")
    return {
        "CATCHMENT_DATABASE_URL": with_password,
        "CATCHMENT_SECRET_KEY": GIVEN["secret key"],
        "CATCHMENT_ADMIN_USERNAME": ADMIN,
        "CATCHMENT_ADMIN_PASSWORD": GIVEN["admin password"],
        "CATCHMENT_GITHUB_TOKEN": GIVEN["token of GitHub"],
        "CATCHMENT_LOG_LEVEL": "debug",
        "CATCHMENT_FETCH_EVERY": "2s",
        "CATCHMENT_STALE_AFTER": "3s",
    }


async def _lived(hired: Crew, asking: httpx.AsyncClient, bodies: dict[str, str]) -> dict[str, str]:
    """Log in, with a wrong and the right password, and create a token; return no secrets."""

    async def post(path: str, token: str = "", **body: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await asking.post(path, json=body, headers=headers)
        if not re.search("_token|cat_", answer.text):
            bodies[f"{path} {len(bodies)}"] = answer.text
        return answer

    await post("/auth/login", username=ADMIN, password=GIVEN["wrong password"])
    await post("/auth/login", username=ADMIN, password=GIVEN["wrong password"], role="admin")
    granted = (await post("/auth/login", username=ADMIN, password=GIVEN["admin password"])).json()
    again = (await post("/auth/refresh", refresh_token=granted["refresh_token"])).json()
    access = again["access_token"]
    made = (await post("/auth/tokens", access, name="a program")).json()
    await post("/auth/signup", username="another", password=GIVEN["another password"])
    await post("/auth/signup", username="another", password=GIVEN["another password"])
    await post("/auth/refresh", refresh_token=granted["refresh_token"] + "x")
    await post("/fetch/posts?force=true", access)
    await post("/fetch/posts?force=true", access + "x")
    await hired.output_of("create-token", ADMIN)  # it is printed once, and not stored
    hired.upstream.set_repository("an/echo", f"Bearer {GIVEN['token of GitHub']}", 1, "Python")
    for failure in (None, 500, 401, "garbage"):
        hired.upstream.github_failure = failure  # type: ignore[assignment]
        await post("/tasks", title="a task", repository="an/echo")
        await post("/tasks", title="a task", repository=f"no/repository-{failure}")
    return {
        "access token": access,
        "first access token": granted["access_token"],
        "refresh token": again["refresh_token"],
        "first refresh token": granted["refresh_token"],
        "API token": made["token"],
    }


async def _asked_everything(asking: httpx.AsyncClient, token: str, bodies: dict[str, str]) -> None:
    """Read every route as the admin."""
    document = (await asking.get("/openapi.json")).json()
    headers = {"Authorization": f"Bearer {token}"}
    for path, item in document["paths"].items():
        if "get" in item:
            url = re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], "0" * 32), path)
            bodies[url] = (await asking.get(url, headers=headers)).text


async def _broken(
    servers: Servers, hired: Crew, asking: httpx.AsyncClient, bodies: dict[str, str]
) -> None:
    """Stop the database for a while."""
    await servers.postgres.kill()
    for number, path in enumerate(("/data?limit=3", "/health", "/fetch/jobs", "/stats")):
        with contextlib.suppress(httpx.HTTPError):
            bodies[f"{path} without {number}"] = (await asking.get(path)).text
    await servers.postgres.start()

    async def is_back() -> bool:
        return (await asking.get("/health/ready")).status_code == 200

    assert await until(is_back, 30) is not None
    # Nothing is fetched any more, so that all becomes stale, and alerts are sent.
    hired.upstream.hold()


async def _alerted(listening: Operator) -> None:
    async def is_told() -> bool:
        return len(listening.heard) > 2

    await until(is_told, 45, every_s=0.5)


async def _dumped(database: str) -> dict[str, str]:
    """Return all tables as text, bytes as hexadecimal digits."""
    connection = await asyncpg.connect(database)
    try:
        names = [row[0] for row in await connection.fetch(_TABLES)]
        dumped = {}
        for name in names:
            rows = await connection.fetch(f"SELECT t::text FROM {name} t")
            dumped[f"table {name}"] = "\n".join(row[0] for row in rows)
        return dumped
    finally:
        await connection.close()


def _hits(secrets: dict[str, str], places: dict[str, str]) -> Iterator[str]:
    """Return the places of a secret, also in other encodings."""
    for what, secret in secrets.items():
        raw = secret.encode()
        spellings = (secret, raw.hex(), base64.b64encode(raw).decode().rstrip("="))
        for place, text in places.items():
            if any(spelling in text for spelling in spellings):
                yield f"{what} in {place}"
