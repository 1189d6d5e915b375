"""Accounts over HTTP: signing up, logging in and out, passwords, and API tokens."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from domain.dataset import Role
from domain.sessions import GRACE
from domain.users import SignupRules
from entrypoints.config.setting_readers import client_limits
from tests.adapters.http.http_fixture import PASSWORD, HttpFixture, problem

ANN = {"username": "Ann", "password": PASSWORD}


@pytest.fixture
async def ann(empty: HttpFixture) -> HttpFixture:
    """Return the application with one user."""
    await empty.client.post("/auth/signup", json=ANN)
    return empty


async def login(fixture: HttpFixture, **changed: str) -> httpx.Response:
    return await fixture.client.post("/auth/login", json={**ANN, **changed})


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def refresh(fixture: HttpFixture, token: str) -> httpx.Response:
    return await fixture.client.post("/auth/refresh", json={"refresh_token": token})


async def me(fixture: HttpFixture, headers: Mapping[str, str]) -> int:
    return (await fixture.client.get("/auth/me", headers=dict(headers))).status_code


# ---------------------------------------------------------------- signing up


async def test_an_account_is_made_with_the_role_user(empty: HttpFixture) -> None:
    answer = await empty.client.post("/auth/signup", json=ANN)

    assert (answer.status_code, answer.json()) == (201, {"username": "Ann"})
    assert answer.headers["cache-control"] == "no-store"
    assert empty.database.users["ann"].role is Role.USER
    assert PASSWORD not in empty.database.users["ann"].password


async def test_a_name_is_taken_in_any_case(ann: HttpFixture) -> None:
    answer = await ann.client.post("/auth/signup", json={**ANN, "username": "aNN"})

    problem(answer, 409, "name_taken")


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"password": "7letter"}, "/password"),
        ({"password": "Password"}, "/password"),
        ({"password": "x" * 1_000_000}, "/password"),
        ({"password": "nul \0 nul nul"}, "/password"),
        ({"password": 12345678}, "/password"),
        ({"username": "аnn"}, "/username"),
        ({"username": "a b"}, "/username"),
        ({"username": ""}, "/username"),
        ({"role": "admin"}, "/role"),
        ({"is_admin": True}, "/is_admin"),
    ],
)
async def test_c31_what_cannot_be_an_account_is_422(
    empty: HttpFixture, changed: dict[str, Any], pointer: str
) -> None:
    answer = await empty.client.post("/auth/signup", json={**ANN, **changed})

    [error] = problem(answer, 422, "invalid_value")["errors"]
    assert error["pointer"] == pointer
    assert not empty.database.users


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("application/json", 400, "malformed_request"),
        ("application/x-www-form-urlencoded", 422, "invalid_value"),
        ("multipart/form-data; boundary=b", 422, "invalid_value"),
        ("text/plain", 415, "unsupported_media_type"),
        (None, 415, "unsupported_media_type"),
    ],
)
async def test_a_login_without_a_body_is_refused_as_its_kind_is(
    empty: HttpFixture, kind: str | None, status: int, code: str
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    problem(await empty.client.post("/auth/login", headers=headers), status, code)


async def test_c31_spaces_around_a_password_belong_to_it(empty: HttpFixture) -> None:
    await empty.client.post("/auth/signup", json={**ANN, "password": " 8 letters "})

    right, wrong = [await login(empty, password=p) for p in (" 8 letters ", "8 letters")]

    assert (right.status_code, wrong.status_code) == (200, 401)


async def test_c33_of_a_hundred_who_want_one_name_one_gets_it() -> None:
    fixture = HttpFixture(client_limits=client_limits("login=600/1m"))
    tries = [fixture.client.post("/auth/signup", json=ANN) for _ in range(100)]

    statuses = [answer.status_code for answer in await asyncio.gather(*tries)]

    assert (statuses.count(201), statuses.count(409)) == (1, 99)


async def test_where_signing_up_is_closed_it_is_403(empty: HttpFixture) -> None:
    fixture = HttpFixture(signup=SignupRules(open=False))

    answer = await fixture.client.post("/auth/signup", json=ANN)

    problem(answer, 403, "signup_closed")
    assert not fixture.database.users


async def test_one_network_signs_up_so_often_a_day() -> None:
    fixture = HttpFixture(client_limits=client_limits("login=600/1m,signup=3/1d"))
    answers = []
    for number in range(4):
        account = {**ANN, "username": f"user{number}"}
        answers.append(await fixture.client.post("/auth/signup", json=account))

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[0].headers["ratelimit"] == '"login";r=599;t=0, "signup";r=2;t=0'
    refused = problem(answers[3], 429, "too_many_requests")
    assert "3 requests in 86400 seconds" in refused["detail"]
    assert (await login(fixture, username="user0")).status_code == 200


# ---------------------------------------------------------------- logging in


@pytest.mark.parametrize(
    "sent",
    [
        {"json": ANN},
        {"data": ANN},
        {"files": {name: (None, value) for name, value in ANN.items()}},
        {"data": {**ANN, "grant_type": "password", "scope": ""}},
    ],
    ids=["json", "form", "multipart", "oauth"],
)
async def test_a_login_is_a_form_or_json(ann: HttpFixture, sent: dict[str, Any]) -> None:
    answer = await ann.client.post("/auth/login", **sent)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"]) == ("bearer", 600)
    assert answer.headers["cache-control"] == "no-store"
    assert await me(ann, bearer(answer)) == 200


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"username=Ann", 415),
        ("application/x-www-form-urlencoded", b"username=Ann", 422),
        ("application/x-www-form-urlencoded", b"username=Ann&username=Bob&password=x", 400),
        ("application/x-www-form-urlencoded", b"username=%ff&password=x", 400),
        ("application/x-www-form-urlencoded", b"username=Ann&password=x&admin=1", 422),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 422),
        ("application/json", b'{"username":"Ann","password":"\xff"}', 400),
        ("application/json", b"[" * 50_000, 400),
    ],
)
async def test_a_login_that_cannot_be_read_is_explained(
    ann: HttpFixture, kind: str, body: bytes, status: int
) -> None:
    answer = await ann.client.post("/auth/login", content=body, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def part(name: str, value: bytes, more: str = "") -> bytes:
    """Return a part of a multipart form."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", part("username", b"\xff") + b"--x--", 400),
        (
            "multipart/form-data; boundary=x; charset=nonsense",
            part("username", b"Ann") + part("password", b"\xe9") + b"--x--",
            400,
        ),
        ("multipart/form-data", part("username", b"Ann") + b"--x--", 400),
        (
            "multipart/form-data; boundary=x",
            part("username", b"Ann") + part("username", b"Bob") + b"--x--",
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            part("username", b"Ann", '; filename="a.txt"') + b"--x--",
            400,
        ),
        ("multipart/form-data; boundary=x", part("username", b"Ann") + b"--x--", 422),
        ("multipart/form-data; boundary=x", b"junk", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 5_000 + b"--x--", 400),
    ],
)
async def test_a_login_in_parts_that_cannot_be_read_is_explained(
    ann: HttpFixture, kind: str, body: bytes, status: int
) -> None:
    answer = await ann.client.post("/auth/login", content=body, headers={"Content-Type": kind})

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_password_and_nobody_get_the_same_answer(ann: HttpFixture) -> None:
    wrong = await login(ann, password="wrong password")
    nobody = await login(ann, username="Bob")

    answers = [problem(answer, 401, "wrong_credentials") for answer in (wrong, nobody)]
    assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}
    assert ann.hasher.checks == 2


async def test_a_disabled_user_cannot_log_in_and_loses_every_session(ann: HttpFixture) -> None:
    granted = await login(ann)
    await ann.disable("Ann")

    problem(await login(ann), 401, "wrong_credentials")
    problem(await refresh(ann, granted.json()["refresh_token"]), 401, "invalid_token")
    assert await me(ann, bearer(granted)) == 401


async def test_an_old_hash_is_renewed_by_a_login(ann: HttpFixture) -> None:
    user = ann.database.users["ann"]
    old = user.password.replace("new ", "old ")
    ann.database.users["ann"] = type(user)(
        name="Ann", password=old, created_at=user.created_at, role=user.role
    )

    answer = await login(ann)

    assert ann.database.users["ann"].password == user.password
    assert await me(ann, bearer(answer)) == 200


async def test_c32_ten_thousand_guesses_cost_few_checks_and_lock_nobody_out(
    ann: HttpFixture,
) -> None:
    statuses = []
    for number in range(10_000):
        forged = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        headers = {"X-Forwarded-For": forged, "Forwarded": f"for={forged}", "X-Real-IP": forged}
        guess = {**ANN, "password": f"guess number {number}"}
        statuses.append(await ann.client.post("/auth/login", json=guess, headers=headers))
        ann.clock.advance(0.06)

    checks = ann.hasher.checks
    owner = await ann.people.sessions.log_in("Ann", PASSWORD, "the owner's own place")

    assert {answer.status_code for answer in statuses} == {401, 429}
    assert checks <= 15  # five, and then one for each doubling of the wait in ten minutes
    assert owner.access_token


async def test_c32_one_password_tried_on_ten_thousand_names_is_stopped(empty: HttpFixture) -> None:
    for number in range(1000):
        await login(empty, username=f"user{number}")

    assert empty.hasher.checks <= client_limits("")["login"].count


async def test_what_is_left_of_the_guesses_is_told(ann: HttpFixture) -> None:
    answers = [await login(ann, username=f"user{number}") for number in range(40)]

    assert answers[0].headers["ratelimit-policy"] == '"login";q=30;w=60'
    assert answers[0].headers["ratelimit"] == '"login";r=28;t=0'
    refused = problem(answers[-1], 429, "too_many_requests")
    assert "30 requests in 60 seconds" in refused["detail"]
    assert answers[-1].headers["retry-after"] == "2"


# ---------------------------------------------------------------- sessions


async def test_a_refresh_token_is_given_in_for_new_tokens(ann: HttpFixture) -> None:
    granted = (await login(ann)).json()

    renewed = await refresh(ann, granted["refresh_token"])

    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] != granted["refresh_token"]
    assert await me(ann, bearer(renewed)) == 200


async def test_c30_fifty_who_refresh_at_once_get_one_successor(ann: HttpFixture) -> None:
    token = (await login(ann)).json()["refresh_token"]

    answers = await asyncio.gather(*(refresh(ann, token) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    [successor] = {answer.json()["refresh_token"] for answer in answers}
    assert (await refresh(ann, successor)).status_code == 200


async def test_c30_a_token_replayed_after_the_grace_ends_the_session(ann: HttpFixture) -> None:
    granted = await login(ann)
    token = granted.json()["refresh_token"]
    renewed = await refresh(ann, token)
    ann.clock.advance(GRACE.total_seconds() + 1)

    problem(await refresh(ann, token), 401, "invalid_token")

    problem(await refresh(ann, renewed.json()["refresh_token"]), 401, "invalid_token")
    assert await me(ann, bearer(renewed)) == 401


async def test_c30_a_session_has_an_end_however_often_it_is_refreshed(ann: HttpFixture) -> None:
    token = (await login(ann)).json()["refresh_token"]
    for _ in range(30):
        ann.clock.advance(86_400 - 1)
        renewed = await refresh(ann, token)
        token = renewed.json()["refresh_token"]

    assert renewed.json()["expires_in"] == 30
    ann.clock.advance(30)
    problem(await refresh(ann, token), 401, "invalid_token")


async def test_c30_logging_out_ends_the_session(ann: HttpFixture) -> None:
    first, second = await login(ann), await login(ann)

    answer = await ann.client.post("/auth/logout", headers=bearer(first))

    assert (answer.status_code, answer.content) == (204, b"")
    assert await me(ann, bearer(first)) == 401
    problem(await refresh(ann, first.json()["refresh_token"]), 401, "invalid_token")
    assert await me(ann, bearer(second)) == 200


async def test_c30_a_session_is_ended_by_its_refresh_token_alone(ann: HttpFixture) -> None:
    granted = await login(ann)
    token = {"refresh_token": granted.json()["refresh_token"]}

    answers = [await ann.client.post("/auth/logout", json=token) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert await me(ann, bearer(granted)) == 401


async def test_whoever_names_no_session_ends_none(ann: HttpFixture) -> None:
    problem(await ann.client.post("/auth/logout"), 401, "login_required")


async def test_an_access_token_runs_out(ann: HttpFixture) -> None:
    granted = await login(ann)
    ann.clock.advance(599)
    early = await me(ann, bearer(granted))
    ann.clock.advance(1)

    assert (early, await me(ann, bearer(granted))) == (200, 401)


# ---------------------------------------------------------------- passwords


async def change(fixture: HttpFixture, headers: dict[str, str], **fields: str) -> httpx.Response:
    body = {"current_password": PASSWORD, "new_password": "another password", **fields}
    return await fixture.client.post("/auth/password", json=body, headers=headers)


async def test_c30_another_password_ends_every_session(ann: HttpFixture) -> None:
    here, there = await login(ann), await login(ann)

    answer = await change(ann, bearer(here))

    assert answer.status_code == 204
    for granted in (here, there):
        assert await me(ann, bearer(granted)) == 401
        problem(await refresh(ann, granted.json()["refresh_token"]), 401, "invalid_token")
    problem(await login(ann), 401, "wrong_credentials")
    assert (await login(ann, password="another password")).status_code == 200


async def test_a_password_is_changed_only_by_who_knows_it(ann: HttpFixture) -> None:
    granted = await login(ann)

    wrong = await change(ann, bearer(granted), current_password="a wrong one")
    common = await change(ann, bearer(granted), new_password="PASSWORD")

    problem(wrong, 401, "wrong_credentials")
    [error] = problem(common, 422, "invalid_value")["errors"]
    assert error["pointer"] == "/new_password"
    assert await me(ann, bearer(granted)) == 200


# ---------------------------------------------------------------- API tokens


async def made(
    fixture: HttpFixture, headers: dict[str, str], name: str = "ci", **wanted: Any
) -> dict[str, Any]:
    body = {"name": name, **wanted}
    answer = await fixture.client.post("/auth/tokens", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_program_logs_in_with_a_token_until_it_is_revoked(ann: HttpFixture) -> None:
    person = bearer(await login(ann))
    token = await made(ann, person)
    program = {"Authorization": f"Bearer {token['token']}"}
    ann.clock.advance(3600 * 24 * 365)
    before = await me(ann, program)

    person = bearer(await login(ann))
    revoked = await ann.client.delete(f"/auth/tokens/{token['id']}", headers=person)

    assert (before, revoked.status_code, await me(ann, program)) == (200, 204, 401)


async def test_the_text_of_a_token_is_shown_once_and_not_kept(ann: HttpFixture) -> None:
    person = bearer(await login(ann))
    token = await made(ann, person)

    listed = (await ann.client.get("/auth/tokens", headers=person)).json()["tokens"]

    assert token["token"].startswith("cat_")
    assert listed == [{name: value for name, value in token.items() if name != "token"}]
    assert token["token"] not in repr(ann.database.api_tokens)


async def test_a_token_shows_its_end_its_scope_and_its_last_use(ann: HttpFixture) -> None:
    person = bearer(await login(ann))
    week = await made(ann, person, ttl=7 * 86_400, scope="write read")
    await made(ann, person, expires_at="2026-01-02T01:00:00+01:00")
    await made(ann, person)
    ann.clock.advance(1)
    await me(ann, {"Authorization": f"Bearer {week['token']}"})
    await ann.token_use.drain()

    listed = (await ann.client.get("/auth/tokens", headers=person)).json()["tokens"]

    assert [(t["expires_at"], t["scope"], t["last_used_at"]) for t in listed] == [
        ("2026-01-08T00:00:00Z", "read write", "2026-01-01T00:00:01Z"),
        ("2026-01-02T00:00:00Z", "read fetch write admin", None),
        (None, "read fetch write admin", None),
    ]


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"scope": ""}, "/scope"),
        ({"scope": "read everything"}, "/scope"),
        ({"ttl": 0}, "/ttl"),
        ({"ttl": 10**9}, "/ttl"),
        ({"ttl": 1, "expires_at": "2027-01-01T00:00:00Z"}, "/ttl"),
        ({"expires_at": "2025-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
    ],
)
async def test_a_token_that_cannot_be_is_explained(
    ann: HttpFixture, wanted: dict[str, Any], pointer: str
) -> None:
    body = {"name": "ci", **wanted}
    answer = await ann.client.post("/auth/tokens", json=body, headers=bearer(await login(ann)))

    [error] = problem(answer, 422, "invalid_value")["errors"]
    assert error["pointer"] == pointer


async def test_long_after_a_login_a_token_needs_the_password(ann: HttpFixture) -> None:
    granted = await login(ann)
    ann.clock.advance(599)
    await made(ann, bearer(granted))
    ann.clock.advance(1)
    person = bearer(await refresh(ann, granted.json()["refresh_token"]))

    refused = await ann.client.post("/auth/tokens", json={"name": "ci"}, headers=person)
    guessed = await ann.client.post(
        "/auth/tokens", json={"name": "ci", "current_password": "a wrong one"}, headers=person
    )

    problem(refused, 403, "password_required")
    problem(guessed, 401, "wrong_credentials")
    await made(ann, person, current_password=PASSWORD)


async def test_another_password_ends_every_token(ann: HttpFixture) -> None:
    person = bearer(await login(ann))
    token = await made(ann, person)

    await change(ann, person)

    assert await me(ann, {"Authorization": f"Bearer {token['token']}"}) == 401
    again = bearer(await login(ann, password="another password"))
    listed = await ann.client.get("/auth/tokens", headers=again)
    assert listed.json() == {"tokens": []}


async def test_a_token_ends_with_its_user(ann: HttpFixture) -> None:
    token = await made(ann, bearer(await login(ann)))
    program = {"Authorization": f"Bearer {token['token']}"}

    await ann.disable("ann")

    assert await me(ann, program) == 401


async def test_a_token_cannot_make_another(ann: HttpFixture) -> None:
    token = await made(ann, bearer(await login(ann)))
    program = {"Authorization": f"Bearer {token['token']}"}

    answer = await ann.client.post("/auth/tokens", json={"name": "x"}, headers=program)

    problem(answer, 403, "forbidden")


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "a\0"])
async def test_a_token_has_a_name_of_some_length(ann: HttpFixture, name: str) -> None:
    answer = await ann.client.post(
        "/auth/tokens", json={"name": name}, headers=bearer(await login(ann))
    )

    [error] = problem(answer, 422, "invalid_value")["errors"]
    assert error["pointer"] == "/name"


async def test_nobody_has_more_than_a_hundred_tokens(ann: HttpFixture) -> None:
    person = bearer(await login(ann))
    for _ in range(100):
        await made(ann, person)

    answer = await ann.client.post("/auth/tokens", json={"name": "x"}, headers=person)

    problem(answer, 422, "invalid_value")


async def test_c23_nobody_reaches_the_tokens_of_others(ann: HttpFixture) -> None:
    token = await made(ann, bearer(await login(ann)))
    other = await ann.headers(Role.ADMIN)

    taken = await ann.client.delete(f"/auth/tokens/{token['id']}", headers=other)
    guessed = await ann.client.delete("/auth/tokens/1", headers=other)

    answers = [problem(answer, 404, "unknown_token") for answer in (taken, guessed)]
    assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}
