"""Users and sessions over HTTP: people end their own, admins see and change all."""

from typing import Any

import httpx
import pytest

from adapters.memory.operations import MemoryEvents
from domain.dataset import Role
from domain.events import AccessRefused, LimitReached
from domain.users import SignupRules
from entrypoints.config.setting_readers import client_limits
from tests.adapters.http.http_fixture import PASSWORD, HttpFixture, problem

NEW = {"username": "Ann", "password": PASSWORD}
KEYS = {"username", "role", "disabled", "created_at"}


async def ask(fixture: HttpFixture, method: str, path: str, **sent: Any) -> httpx.Response:
    """Ask as an admin."""
    headers = await fixture.headers(Role.ADMIN)
    return await fixture.client.request(method, path, headers=headers, **sent)


async def ann(fixture: HttpFixture, **changed: Any) -> httpx.Response:
    """Have an admin add Ann."""
    return await ask(fixture, "POST", "/users", json={**NEW, **changed})


async def granted(fixture: HttpFixture) -> dict[str, Any]:
    """The tokens of Ann, who logs in."""
    answer = await fixture.client.post("/auth/login", json=NEW)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def bearer(tokens: dict[str, Any], name: str = "access_token") -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens[name]}"}


async def token(fixture: HttpFixture) -> dict[str, Any]:
    """An API token of Ann's."""
    headers = bearer(await granted(fixture))
    answer = await fixture.client.post("/auth/tokens", json={"name": "ci"}, headers=headers)
    told: dict[str, Any] = answer.json()
    return told


async def me(fixture: HttpFixture, headers: dict[str, str]) -> int:
    return (await fixture.client.get("/auth/me", headers=headers)).status_code


# ---------------------------------------------------------------- users


async def test_an_admin_adds_people_where_nobody_signs_up() -> None:
    fixture = HttpFixture(signup=SignupRules(open=False), require_login=True)

    answer = await ann(fixture)

    assert (answer.status_code, answer.headers["location"]) == (201, "/users/Ann")
    assert answer.json() == {
        "username": "Ann",
        "role": "user",
        "disabled": False,
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert await me(fixture, bearer(await granted(fixture))) == 200


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"username": "ADMIN"}, 409, "name_taken"),
        ({"username": "a b"}, 422, "invalid_value"),
        ({"password": "short"}, 422, "invalid_value"),
        ({"role": "anyone"}, 422, "invalid_value"),
        ({"disabled": True}, 422, "invalid_value"),
    ],
)
async def test_a_user_who_cannot_be_is_explained(
    empty: HttpFixture, changed: dict[str, Any], status: int, code: str
) -> None:
    problem(await ann(empty, **changed), status, code)


async def test_users_are_listed_a_page_at_a_time(empty: HttpFixture) -> None:
    for name in ("carl", "Bob", "dora"):
        await ann(empty, username=name)

    first = (await ask(empty, "GET", "/users?limit=3")).json()
    cursor = first["page"]["next_cursor"]
    second = (await ask(empty, "GET", f"/users?limit=3&cursor={cursor}")).json()
    forged = await ask(empty, "GET", "/users?cursor=abc")

    assert [user["username"] for user in first["data"]] == ["admin", "Bob", "carl"]
    assert [user["username"] for user in second["data"]] == ["dora"]
    assert (first["page"]["has_more"], second["page"]["has_more"]) == (True, False)
    assert set(first["data"][0]) == KEYS
    assert PASSWORD not in str(first)
    problem(forged, 400, "invalid_cursor")


async def test_a_user_is_changed_and_changed_back(empty: HttpFixture) -> None:
    await ann(empty)
    before = await granted(empty)

    promoted = await ask(empty, "PATCH", "/users/ann", json={"role": "admin"})
    is_admin = await empty.client.get("/users/ann", headers=bearer(before))
    disabled = await ask(empty, "PATCH", "/users/ann", json={"disabled": True})
    refused = await empty.client.post("/auth/login", json=NEW)
    enabled = await ask(empty, "PATCH", "/users/ann", json={"role": "user", "disabled": False})

    assert [answer.json()["role"] for answer in (promoted, enabled)] == ["admin", "user"]
    assert is_admin.json() == promoted.json()
    assert [answer.json()["disabled"] for answer in (disabled, enabled)] == [True, False]
    problem(refused, 401, "wrong_credentials")
    assert await me(empty, bearer(before)) == 401
    assert await me(empty, bearer(await granted(empty))) == 200


async def test_an_empty_change_changes_nothing(empty: HttpFixture) -> None:
    made = await ann(empty)

    answer = await ask(empty, "PATCH", "/users/Ann", json={})

    assert (answer.status_code, answer.json()) == (200, made.json())


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "anyone"}, "/role"),
        ({"disabled": "yes"}, "/disabled"),
        ({"password": "x"}, "/password"),
    ],
)
async def test_a_change_that_cannot_be_is_explained(
    empty: HttpFixture, body: dict[str, Any], pointer: str
) -> None:
    await ann(empty)
    [error] = problem(await ask(empty, "PATCH", "/users/ann", json=body), 422, "invalid_value")[
        "errors"
    ]

    assert error["pointer"] == pointer


async def test_an_admin_cannot_lock_themselves_out(empty: HttpFixture) -> None:
    for body in ({"disabled": True}, {"role": "user"}):
        answer = await ask(empty, "PATCH", "/users/admin", json=body)

        assert "another admin" in problem(answer, 422, "invalid_value")["detail"]


@pytest.mark.parametrize("name", ["nobody", "a%20b", "%D0%B0nn", "x" * 65])
@pytest.mark.parametrize("below", ["", "/sessions", "/tokens"])
async def test_nobody_is_404(empty: HttpFixture, name: str, below: str) -> None:
    problem(await ask(empty, "GET", f"/users/{name}{below}"), 404, "unknown_user")


async def test_an_admins_token_manages_users_if_its_scope_says_so(empty: HttpFixture) -> None:
    await ann(empty, role="admin")
    program = bearer(await token(empty), "token")

    made = await empty.client.post("/users", json={**NEW, "username": "Bob"}, headers=program)

    assert made.status_code == 201


# ---------------------------------------------------------------- sessions and tokens of others


async def test_an_admin_sees_and_ends_the_sessions_of_others(empty: HttpFixture) -> None:
    await ann(empty)
    first, second = await granted(empty), await granted(empty)

    listed = (await ask(empty, "GET", "/users/ann/sessions")).json()["sessions"]
    one = await ask(empty, "DELETE", f"/users/ann/sessions/{listed[0]['id']}")
    left = [await me(empty, bearer(tokens)) for tokens in (first, second)]
    rest = await ask(empty, "DELETE", "/users/ann/sessions")

    assert [session["current"] for session in listed] == [False, False]
    assert sorted(left) == [200, 401]
    assert (one.status_code, rest.status_code) == (204, 204)
    assert [await me(empty, bearer(tokens)) for tokens in (first, second)] == [401, 401]
    problem(await ask(empty, "DELETE", "/users/ann/sessions/1"), 404, "unknown_session")


async def test_an_admin_sees_and_revokes_the_tokens_of_others(empty: HttpFixture) -> None:
    await ann(empty)
    first, second, third = [await token(empty) for _ in range(3)]

    listed = (await ask(empty, "GET", "/users/ann/tokens")).json()["tokens"]
    one = await ask(empty, "DELETE", f"/users/ann/tokens/{first['id']}")
    left = [await me(empty, bearer(each, "token")) for each in (first, second, third)]
    rest = await ask(empty, "DELETE", "/users/ann/tokens")

    assert [each["id"] for each in listed] == [each["id"] for each in (first, second, third)]
    assert "token" not in listed[0]
    assert left == [401, 200, 200]
    assert (one.status_code, rest.status_code) == (204, 204)
    assert [await me(empty, bearer(each, "token")) for each in (second, third)] == [401, 401]
    problem(await ask(empty, "DELETE", "/users/ann/tokens/1"), 404, "unknown_token")


# ---------------------------------------------------------------- one's own sessions


async def test_people_see_their_sessions_and_end_one(empty: HttpFixture) -> None:
    await ann(empty)
    first = await granted(empty)
    empty.clock.advance(60)
    second = await granted(empty)
    refresh = {"refresh_token": first["refresh_token"]}
    await empty.client.post("/auth/refresh", json=refresh)

    listed = await empty.client.get("/auth/sessions", headers=bearer(first))
    latest, earliest = listed.json()["sessions"]
    ended = await empty.client.delete(f"/auth/sessions/{latest['id']}", headers=bearer(first))

    assert earliest == {
        "id": earliest["id"],
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-31T00:00:00Z",
        "last_used_at": "2026-01-01T00:01:00Z",
        "network": "127.0.0.1",
        "current": True,
    }
    assert (latest["current"], latest["last_used_at"]) == (False, None)
    assert listed.headers["cache-control"] == "no-store"
    assert ended.status_code == 204
    assert [await me(empty, bearer(tokens)) for tokens in (first, second)] == [200, 401]


async def test_people_end_all_their_sessions_and_keep_their_tokens(empty: HttpFixture) -> None:
    await ann(empty)
    program = bearer(await token(empty), "token")
    first, second = await granted(empty), await granted(empty)

    answer = await empty.client.delete("/auth/sessions", headers=bearer(second))

    assert answer.status_code == 204
    assert [await me(empty, bearer(tokens)) for tokens in (first, second)] == [401, 401]
    assert await me(empty, program) == 200


async def test_nobody_ends_the_sessions_of_others(empty: HttpFixture) -> None:
    await ann(empty)
    anns = await granted(empty)
    [session] = (await empty.client.get("/auth/sessions", headers=bearer(anns))).json()["sessions"]
    others = await empty.headers(Role.USER)

    taken = await empty.client.delete(f"/auth/sessions/{session['id']}", headers=others)
    guessed = await empty.client.delete("/auth/sessions/1", headers=others)

    for answer in (taken, guessed):
        problem(answer, 404, "unknown_session")
    assert await me(empty, bearer(anns)) == 200


async def test_a_program_has_no_sessions(empty: HttpFixture) -> None:
    await ann(empty)
    program = bearer(await token(empty), "token")

    for method in ("GET", "DELETE"):
        answer = await empty.client.request(method, "/auth/sessions", headers=program)

        problem(answer, 403, "forbidden")


# ---------------------------------------------------------------- the security log


async def test_what_is_refused_is_published_once() -> None:
    events = MemoryEvents()
    fixture = HttpFixture(events=events, client_limits=client_limits("login=2/1m"))
    user = await fixture.headers(Role.USER)

    await fixture.client.get("/users", headers=user)
    await fixture.client.post("/fetch/posts?force=true", headers=user)
    await fixture.client.get("/data/nothing", headers=user)
    for _ in range(3):
        await fixture.client.post("/auth/login", json=NEW)

    place = {"network": "127.0.0.1"}
    assert events.of(AccessRefused) == [
        AccessRefused(account="user", method="GET", path="/users", **place),
        AccessRefused(account="user", method="POST", path="/fetch/posts", **place),
    ]
    assert events.of(LimitReached) == [LimitReached(account="", purpose="login", **place)]


async def test_a_read_that_is_refused_is_published_too() -> None:
    events = MemoryEvents()
    fixture = HttpFixture(events=events)
    await fixture.headers(Role.USER)
    made = {"name": "ci", "scope": "fetch"}
    granted = await fixture.client.post(
        "/auth/tokens", json=made, headers=await fixture.headers(Role.USER)
    )

    await fixture.client.get("/data/posts?user_id=1", headers=bearer(granted.json(), "token"))

    refused = {"account": "user", "network": "127.0.0.1"}
    assert events.of(AccessRefused) == [AccessRefused(method="GET", path="/data/posts", **refused)]
