"""Access: every role at every route, and invalid tokens."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from litestar import Litestar, get, post

from adapters.http.protocol.access import ANYONE, OPEN, may_call, require_declared
from adapters.memory.database import MemoryDatabase
from application.accounts.api_tokens import NewToken
from domain.dataset import Role
from domain.errors import InvalidRoutes
from domain.politeness import Rate
from domain.users import Scope
from tests.adapters.http.http_fixture import (
    PASSWORD,
    POSTS,
    SECRET,
    HttpFixture,
    gauges_dataset,
    posts,
    problem,
)
from tests.adapters.http.stores import Away
from tests.prove.figures import reported

CLOSED = gauges_dataset(read_by=Role.USER, fetch_by=Role.ADMIN)
VALUES = {"station": "north", "number": "1", "id": "1", "dataset": "gauges"}

#: The least role that may call each route, written independently of the code.
LEAST = {
    "GET /": Role.ANYONE,
    "GET /api/data": Role.USER,
    "GET /api/populate": Role.ADMIN,
    "POST /api/populate": Role.ADMIN,
    "GET /auth/me": Role.USER,
    "GET /auth/sessions": Role.USER,
    "DELETE /auth/sessions": Role.USER,
    "DELETE /auth/sessions/{session_id}": Role.USER,
    "GET /users": Role.ADMIN,
    "POST /users": Role.ADMIN,
    "GET /users/{username}": Role.ADMIN,
    "PATCH /users/{username}": Role.ADMIN,
    "GET /users/{username}/sessions": Role.ADMIN,
    "DELETE /users/{username}/sessions": Role.ADMIN,
    "DELETE /users/{username}/sessions/{session_id}": Role.ADMIN,
    "GET /users/{username}/tokens": Role.ADMIN,
    "DELETE /users/{username}/tokens": Role.ADMIN,
    "DELETE /users/{username}/tokens/{token_id}": Role.ADMIN,
    "GET /auth/tokens": Role.USER,
    "POST /auth/tokens": Role.USER,
    "DELETE /auth/tokens/{token_id}": Role.USER,
    "POST /auth/login": Role.ANYONE,
    "POST /auth/logout": Role.ANYONE,
    "POST /auth/password": Role.USER,
    "POST /auth/refresh": Role.ANYONE,
    "POST /auth/signup": Role.ANYONE,
    "GET /data": Role.ANYONE,
    "GET /data/gauges": Role.USER,
    "GET /data/gauges/{station}/{number}": Role.USER,
    "GET /data/posts": Role.ANYONE,
    "GET /data/posts/{id}": Role.ANYONE,
    "GET /datasets": Role.ANYONE,
    "POST /fetch": Role.ANYONE,
    "POST /fetch/{dataset}": Role.ADMIN,
    "GET /fetch/jobs": Role.ANYONE,
    "GET /fetch/status/{job_id}": Role.USER,
    "DELETE /fetch/status/{job_id}": Role.ADMIN,
    "GET /quarantine": Role.ADMIN,
    "POST /quarantine/replay": Role.ADMIN,
    "POST /quarantine/{rejection_id}/replay": Role.ADMIN,
    "GET /metrics": Role.ANYONE,
    "GET /stats": Role.ANYONE,
    "GET /tasks": Role.ANYONE,
    "POST /tasks": Role.ANYONE,
    "GET /tasks/{task_id}": Role.ANYONE,
    "PUT /tasks/{task_id}": Role.ANYONE,
    "PATCH /tasks/{task_id}": Role.ANYONE,
    "DELETE /tasks/{task_id}": Role.ANYONE,
    "GET /health": Role.ANYONE,
    "GET /health/live": Role.ANYONE,
    "GET /health/ready": Role.ANYONE,
}
#: Open even where a login is required.
ALWAYS = re.compile(r"/health.*|/auth/(login|logout|refresh|signup)")


@pytest.fixture
async def closed() -> HttpFixture:
    """Return the application with an open and a closed dataset."""
    fixture = HttpFixture(POSTS, CLOSED)
    await fixture.bring(posts(3))
    return fixture


async def operations(fixture: HttpFixture) -> list[tuple[str, str, str]]:
    """Return every operation of the document: method, path template, and a path to call."""
    document = (await fixture.client.get("/openapi.json")).json()
    job = await fixture.fetches["gauges"](Role.ADMIN, force=True)
    values = {
        **VALUES,
        "job_id": job.job.id,
        "token_id": "0" * 32,
        "session_id": "0" * 32,
        "username": "nobody",
        "task_id": "0" * 32,
        "rejection_id": "1",
    }
    return [
        (method.upper(), path, re.sub(r"{(\w+)}", lambda m: values[m[1]], path))
        for path, item in document["paths"].items()
        for method in item
    ]


async def called(fixture: HttpFixture, method: str, path: str, role: Role) -> int:
    answer = await fixture.client.request(method, path, headers=await fixture.headers(role))
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    return answer.status_code


async def test_c24_every_role_gets_what_it_may_at_every_route_and_nothing_else(
    closed: HttpFixture,
) -> None:
    cells = 0
    found = await operations(closed)
    assert {f"{method} {path}" for method, path, _ in found} == set(LEAST)
    for method, path, url in found:
        for role in Role:
            least, status = LEAST[f"{method} {path}"], await called(closed, method, url, role)

            refused = {401: Role.ANYONE, 403: Role.USER}.get(status)
            if path == "/auth/logout" and role is Role.ANYONE:
                assert status == 401, "it names no session"
            elif role.at_least(least):
                assert refused is None, (method, path, role, status)
            else:
                assert refused is role, (method, path, role, status)
            cells += 1
    reported("P27", f"unexpected:0,of:{cells}", "unexpected:0", cells == 3 * len(LEAST))
    assert cells == 3 * len(LEAST)


#: The scope a token needs for what is no read; none for the account itself.
SCOPES = {
    "POST /fetch": Scope.FETCH,
    "POST /fetch/{dataset}": Scope.FETCH,
    "POST /tasks": Scope.WRITE,
    "PUT /tasks/{task_id}": Scope.WRITE,
    "PATCH /tasks/{task_id}": Scope.WRITE,
    "DELETE /tasks/{task_id}": Scope.WRITE,
}
NO_SCOPE = re.compile(r"/health.*|/auth/.*")


@pytest.mark.parametrize("scope", Scope)
async def test_a_token_gets_what_its_scope_says_at_every_route_and_nothing_else(
    closed: HttpFixture, scope: Scope
) -> None:
    await closed.headers(Role.ADMIN)
    wanted = NewToken(name="ci", scopes=frozenset({scope}))
    for method, path, url in await operations(closed):
        _, text = await closed.people.api_tokens.create_for("admin", wanted)
        headers = {"Authorization": f"Bearer {text}"}
        answer = await closed.client.request(method, url, headers=headers)

        route, least = f"{method} {path}", LEAST[f"{method} {path}"]
        needed = Scope.ADMIN if least is Role.ADMIN else SCOPES.get(route, Scope.READ)
        if route == "POST /fetch/{dataset}":
            needed = Scope.FETCH  # and then the role that its dataset asks for
        allowed = scope is needed or NO_SCOPE.fullmatch(path) is not None
        refused = answer.status_code == 403 and answer.json()["code"] == "insufficient_scope"
        assert refused is not allowed, (route, scope, answer.text)
        if refused:
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_without_the_scope_admin_a_token_has_the_role_user(closed: HttpFixture) -> None:
    await closed.headers(Role.ADMIN)
    wanted = NewToken(name="ci", scopes=frozenset({Scope.READ, Scope.FETCH}))
    _, text = await closed.people.api_tokens.create_for("admin", wanted)
    headers = {"Authorization": f"Bearer {text}"}

    forced = await closed.client.post("/fetch/posts?force=true", headers=headers)
    known = await closed.client.get("/auth/me", headers=headers)

    problem(forced, 403, "forbidden")
    assert known.json() == {"username": "admin", "role": "user"}


async def test_every_route_that_writes_has_a_limit_for_each_client() -> None:
    once = Rate(1, 3600.0)
    limits = {name: once for name in ("fetch", "login", "signup", "sessions", "tasks")}
    fixture = HttpFixture(POSTS, CLOSED, client_limits=limits)
    writes = [(m, path, url) for m, path, url in await operations(fixture) if m != "GET"]

    for method, path, url in writes:
        fixture.database.full_at_s.clear()
        # A session that has ended would be another client the second time.
        roles = [Role.ANYONE if path == "/auth/logout" else Role.ADMIN] * 2
        first, second = [
            await fixture.client.request(method, url, headers=await fixture.headers(role))
            for role in roles
        ]

        assert first.status_code != 429, (method, path)
        problem(second, 429, "too_many_requests")
        assert second.headers["ratelimit-policy"].endswith(";q=1;w=3600"), (method, path)
    assert len(writes) > 15


async def test_with_login_required_only_health_docs_and_auth_are_open() -> None:
    fixture = HttpFixture(POSTS, CLOSED, require_login=True)
    await fixture.bring(posts(3))
    for method, path, url in await operations(fixture):
        status = await called(fixture, method, url, Role.ANYONE)

        if path == "/auth/logout":
            continue
        assert (status == 401) is (ALWAYS.fullmatch(path) is None), (method, path, status)
    for path in ("/docs", "/openapi.json", "/docs/problems"):
        assert (await fixture.client.get(path)).status_code == 200


async def test_what_is_kept_ready_is_not_given_to_who_must_log_in() -> None:
    fixture = HttpFixture(POSTS, require_login=True)
    await fixture.bring(posts(3))
    user = await fixture.headers(Role.USER)

    assert (await fixture.client.get("/data", headers=user)).status_code == 200
    problem(await fixture.client.get("/data"), 401, "login_required")


async def test_the_document_says_who_may_call_what(closed: HttpFixture) -> None:
    document = (await closed.client.get("/openapi.json")).json()

    for path, item in document["paths"].items():
        for method, operation in item.items():
            least = LEAST[f"{method.upper()} {path}"]
            if "{dataset}" in path or "{job_id}" in path:
                continue  # it depends on the dataset
            open_to_all = operation["security"] == [] or {} in operation["security"]
            assert open_to_all is (least is Role.ANYONE), (method, path)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_with_login_required_the_document_requires_a_token_everywhere() -> None:
    fixture = HttpFixture(POSTS, CLOSED, require_login=True)
    document = (await fixture.client.get("/openapi.json")).json()

    for path, item in document["paths"].items():
        for method, operation in item.items():
            open_to_all = operation["security"] == [] or {} in operation["security"]
            assert open_to_all is (ALWAYS.fullmatch(path) is not None), (method, path)


def test_a_route_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    @get("/silent")
    async def silent() -> None: ...

    @get("/open", opt=may_call(OPEN))
    async def declared() -> None: ...

    @post("/writes", opt=may_call(ANYONE))
    async def writes() -> None: ...

    for route in (silent, declared, writes):
        route.fn.__module__ = "adapters.http.jobs.routes"
    with pytest.raises(InvalidRoutes, match="/silent"):
        require_declared(Litestar([silent, declared], openapi_config=None))
    with pytest.raises(InvalidRoutes, match=r"the scope read .* /writes"):
        require_declared(Litestar([declared, writes], openapi_config=None))
    require_declared(Litestar([declared], openapi_config=None))


# ---------------------------------------------------------------- invalid tokens

Json = dict[str, Any]
KEY = hashlib.blake2b(SECRET, person=b"catchment-access").digest()


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: Json, claims: Json, key: bytes = KEY) -> str:
    """Return a token with any header, with our signature."""
    content = f"{part(header)}.{part(claims)}"
    mac = hmac.digest(key, content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


OURS = {"alg": "HS256", "typ": "at+jwt"}


def without(claims: Json, name: str) -> Json:
    return {key: value for key, value in claims.items() if key != name}


#: Attacks on a token, each made from the claims and the text of a valid one.
ATTACKS: dict[str, Callable[[Json, str], str]] = {
    "no algorithm": lambda c, t: f"{part({**OURS, 'alg': 'none'})}.{part(c)}.",
    "no algorithm, with the signature": lambda c, t: (
        f"{part({**OURS, 'alg': 'None'})}.{part(c)}.{t.split('.')[2]}"
    ),
    "another algorithm": lambda c, t: jwt.encode(c, KEY, "HS512", headers={"typ": "at+jwt"}),
    "an asymmetric algorithm in its header": lambda c, t: signed({**OURS, "alg": "RS256"}, c),
    "another key": lambda c, t: signed(OURS, c, b"another key of 32 bytes or more.."),
    "an empty key": lambda c, t: signed(OURS, c, b""),
    "the secret itself as the key": lambda c, t: signed(OURS, c, SECRET),
    "a key named by a path": lambda c, t: signed({**OURS, "kid": "../../dev/null"}, c, b""),
    "a key named by SQL": lambda c, t: signed({**OURS, "kid": "x' UNION SELECT ''--"}, c, b""),
    "a key at a URL": lambda c, t: signed({**OURS, "jku": "http://evil.test/k"}, c, b"x" * 32),
    "a key in the header": lambda c, t: signed(
        {**OURS, "jwk": {"kty": "oct", "k": "eHh4"}}, c, b"xxx"
    ),
    "run out": lambda c, t: signed(OURS, {**c, "exp": c["iat"]}),
    "not valid yet": lambda c, t: signed(OURS, {**c, "nbf": c["exp"]}),
    "from the future": lambda c, t: signed(OURS, {**c, "iat": c["exp"]}),
    "without an end": lambda c, t: signed(OURS, without(c, "exp")),
    "an end that is text": lambda c, t: signed(OURS, {**c, "exp": "9999999999"}),
    "an end that is infinite": lambda c, t: signed(OURS, {**c, "exp": float("inf")}),
    "for somebody else": lambda c, t: signed(OURS, {**c, "aud": "another-api"}),
    "from somebody else": lambda c, t: signed(OURS, {**c, "iss": "evil"}),
    "without an identifier": lambda c, t: signed(OURS, without(c, "jti")),
    "without a session": lambda c, t: signed(OURS, without(c, "sid")),
    "of another session": lambda c, t: signed(OURS, {**c, "sid": "0" * 32}),
    "of an older version": lambda c, t: signed(OURS, {**c, "ver": c["ver"] - 1}),
    "of a user who is gone": lambda c, t: signed(OURS, {**c, "sub": "nobody"}),
    "a user that is a list": lambda c, t: signed(OURS, {**c, "sub": ["admin"]}),
    "of another type": lambda c, t: signed({**OURS, "typ": "rt+jwt"}, c),
    "of no type": lambda c, t: signed({"alg": "HS256"}, c),
    "a megabyte": lambda c, t: "x" * 1_000_000,
    "very long": lambda c, t: "x" * 5000,
    "with its signature stripped": lambda c, t: t.rpartition(".")[0] + ".",
    "without its signature": lambda c, t: t.rpartition(".")[0],
    "with its claims edited": lambda c, t: (
        f"{t.split('.')[0]}.{part({**c, 'sub': 'admin'})}.{t.split('.')[2]}"
    ),
    "nested deeply": lambda c, t: f"{t.split('.')[0]}.{base64.b64encode(b'[' * 2000).decode()}.x",
    "not a token": lambda c, t: "junk",
    "a program's that nobody made": lambda c, t: "cat_" + "x" * 43,
    "no ASCII": lambda c, t: "é.é.é",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_c29_no_attack_on_a_token_gets_in(closed: HttpFixture, attack: str) -> None:
    good = (await closed.headers(Role.USER))["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = ATTACKS[attack](claims, good).encode("latin-1")

    answers = [
        await closed.client.get(path, headers=[(b"authorization", b"Bearer " + forged)])
        for path in ("/auth/me", "/data", "/datasets")
    ]

    for answer in answers:
        if len(forged) > 10_000:
            problem(answer, 431, "headers_too_large")
            continue
        refused = problem(answer, 401, "invalid_token")
        assert refused["detail"] == "this token is invalid or expired; log in again"
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_c29_a_good_token_made_by_hand_does_get_in(closed: HttpFixture) -> None:
    good = (await closed.headers(Role.USER))["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(good, options={"verify_signature": False})

    answer = await closed.client.get(
        "/auth/me", headers={"Authorization": f"bearer {signed(OURS, claims)}"}
    )

    assert answer.json() == {"username": "user", "role": "user"}


async def test_c29_a_refresh_token_is_no_access_token(closed: HttpFixture) -> None:
    await closed.headers(Role.USER)
    granted = await closed.people.sessions.log_in("user", "correct horse battery", "here")

    answer = await closed.client.get(
        "/data", headers={"Authorization": f"Bearer {granted.refresh_token}"}
    )

    problem(answer, 401, "invalid_token")


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Basic YTpi")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "")],
        [("Authorization", "Bearer x"), ("Authorization", "Bearer y")],
    ],
)
async def test_c29_what_is_no_bearer_token_is_401(
    closed: HttpFixture, headers: list[tuple[str, str]]
) -> None:
    problem(await closed.client.get("/", headers=headers), 401, "invalid_token")


async def test_a_user_locked_out_elsewhere_is_out_within_five_seconds(closed: HttpFixture) -> None:
    user = await closed.headers(Role.USER)
    assert (await closed.client.get("/auth/me", headers=user)).status_code == 200
    # As another process does it, before its notification has arrived.
    closed.database.users["user"] = closed.database.users["user"].locked_out()

    believed = (await closed.client.get("/auth/me", headers=user)).status_code
    closed.clock.advance(5)

    assert (believed, (await closed.client.get("/auth/me", headers=user)).status_code) == (200, 401)


async def test_each_role_sees_its_own_overview(closed: HttpFixture) -> None:
    def names(answer: httpx.Response) -> Iterator[str]:
        return (card["name"] for card in answer.json()["datasets"])

    for path in ("/", "/datasets"):
        shown = [
            list(names(await closed.client.get(path, headers=await closed.headers(role))))
            for role in Role
        ]
        assert shown == [["posts"], ["posts", "gauges"], ["posts", "gauges"]]


async def test_a_key_of_one_user_is_not_the_key_of_another(closed: HttpFixture) -> None:
    closed.clock.advance(3600)
    key = {"Idempotency-Key": "one"}
    mine = await closed.client.post("/fetch", headers={**key, **await closed.headers(Role.USER)})
    closed.clock.advance(3600)

    theirs = await closed.client.post("/fetch", headers={**key, **await closed.headers(Role.ADMIN)})
    again = await closed.client.post("/fetch", headers={**key, **await closed.headers(Role.USER)})

    assert mine.json()["job_id"] == again.json()["job_id"] != theirs.json()["job_id"]
    assert again.headers["idempotent-replayed"] == "true"


# ---------------------------------------------------------------- where no token is needed


@pytest.mark.parametrize("bearer", ["Bearer junk", "Bearer", "Basic !", "Digest x", "run out"])
async def test_a_bearer_that_does_not_count_is_none_where_everything_is_open(
    bearer: str,
) -> None:
    fixture = HttpFixture(require_login=True)
    user = await fixture.headers(Role.USER)
    login = {"username": "user", "password": PASSWORD}
    granted = (await fixture.client.post("/auth/login", json=login)).json()
    headers = {"Authorization": bearer}
    if bearer == "run out":
        headers = user
        fixture.clock.advance(3600)

    refresh = {"refresh_token": granted["refresh_token"]}
    answers = [
        await fixture.client.post("/auth/login", json=login, headers=headers),
        await fixture.client.post("/auth/refresh", json=refresh, headers=headers),
        await fixture.client.get("/health", headers=headers),
        await fixture.client.get("/health/live", headers=headers),
        await fixture.client.get("/docs", headers=headers),
        await fixture.client.get("/docs/problems", headers=headers),
        await fixture.client.get("/openapi.json", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [200] * 7
    renewed = {"Authorization": f"Bearer {answers[1].json()['access_token']}"}
    assert (await fixture.client.get("/auth/me", headers=renewed)).json()["username"] == "user"
    for path in ("/auth/me", "/data", "/", "/healthy", "/auth/login/x"):
        refused = await fixture.client.get(path, headers=headers)
        assert refused.status_code in (401, 404, 405), path
        assert path not in ("/auth/me", "/data", "/") or refused.status_code == 401


async def test_a_session_ends_by_its_refresh_token_though_its_access_token_has_run_out() -> None:
    fixture = HttpFixture()
    user = await fixture.headers(Role.USER)
    login = {"username": "user", "password": PASSWORD}
    granted = (await fixture.client.post("/auth/login", json=login)).json()
    fixture.clock.advance(3600)
    refresh = {"refresh_token": granted["refresh_token"]}

    nameless = await fixture.client.post("/auth/logout", headers=user)
    ended = await fixture.client.post("/auth/logout", json=refresh, headers=user)

    problem(nameless, 401, "login_required")
    assert ended.status_code == 204
    problem(await fixture.client.post("/auth/refresh", json=refresh), 401, "invalid_token")


async def test_a_probe_with_a_bearer_needs_no_store() -> None:
    changes = Away(MemoryDatabase())
    fixture = HttpFixture(changes=changes)
    headers = await fixture.headers(Role.USER)
    changes.away = True

    assert (await fixture.client.get("/health/live", headers=headers)).status_code == 200
    problem(await fixture.client.get("/auth/me", headers=headers), 503, "store_unavailable")


# ---------------------------------------------------------------- Basic authentication


async def test_an_api_token_counts_as_the_password_of_any_name() -> None:
    fixture = HttpFixture(require_login=True)
    headers = await fixture.headers(Role.USER)
    made = await fixture.client.post("/auth/tokens", json={"name": "a sheet"}, headers=headers)
    token = made.json()["token"]

    for name in ("", "user", "nobody", "é"):
        me = await fixture.client.get("/auth/me", auth=httpx.BasicAuth(name, token))
        assert me.json() == {"username": "user", "role": "user"}
    answer = await fixture.client.get("/data?format=csv", auth=("x", token))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")


@pytest.mark.parametrize("kind", ["a password", "an access token", "no token", "junk", "the name"])
async def test_nothing_else_counts_as_a_password(kind: str) -> None:
    fixture = HttpFixture()
    headers = await fixture.headers(Role.USER)
    made = await fixture.client.post("/auth/tokens", json={"name": "a sheet"}, headers=headers)
    access, token = headers["Authorization"].removeprefix("Bearer "), made.json()["token"]
    sent = {
        "a password": ("user", PASSWORD),
        "an access token": ("user", access),
        "no token": ("user", "cat_" + "x" * 43),
        "the name": (token, ""),
        "junk": ("", ""),
    }[kind]

    answer = await fixture.client.get("/data", auth=sent)

    problem(answer, 401, "invalid_token")
