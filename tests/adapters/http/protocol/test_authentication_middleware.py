"""Authentication: foreign origins, foreign hosts, and trusted proxies."""

import httpx
import pytest

from adapters.http.protocol.hosts import LOOPBACK, Hosts
from domain.politeness import Rate
from tests.adapters.http.http_fixture import BASE, HttpFixture, problem

LIMITS = {"fetch": Rate(2, 60.0), "login": Rate(2, 60.0), "tasks": Rate(2, 60.0)}
PREFLIGHT = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}


# ---------------------------------------------------------------- foreign origins


async def test_c35_without_a_setting_no_page_of_others_may_read(empty: HttpFixture) -> None:
    answer = await empty.client.get("/data", headers={"Origin": "https://evil.test"})
    asked = await empty.client.options("/fetch", headers=PREFLIGHT)

    for each in (answer, asked):
        assert not [name for name in each.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/data", "/nothing", "/data?colour=red", "/openapi.json"])
async def test_c35_a_page_that_is_named_may_read_whatever_is_answered(path: str) -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))

    ours = await fixture.client.get(path, headers={"Origin": "https://app.test"})
    others = await fixture.client.get(path, headers={"Origin": "https://evil.test"})
    none = await fixture.client.get(path, headers={"Origin": "null"})

    assert ours.headers["access-control-allow-origin"] == "https://app.test"
    assert "Origin" in ours.headers["vary"]
    assert "ETag" in ours.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in ours.headers
    for each in (others, none):
        assert "access-control-allow-origin" not in each.headers
        assert "Origin" in each.headers["vary"]  # or a cache would send it to the other origin


async def test_a_preflight_request_is_answered() -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",), require_login=True)

    answer = await fixture.client.options("/fetch", headers=PREFLIGHT)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://app.test"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]


async def test_with_a_star_any_page_may_read() -> None:
    fixture = HttpFixture(cors_origins=("*",))

    answer = await fixture.client.get("/data", headers={"Origin": "https://any.test"})

    assert answer.headers["access-control-allow-origin"] == "*"


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.test", 200),
        ("API.test:8000", 200),
        ("a.b.example.com", 200),
        ("[::1]:80", 200),
        ("example.com", 400),
        ("evil.test", 400),
        ("api.test.evil.test", 400),
        ("xexample.com", 400),
    ],
)
async def test_c35_only_the_hosts_that_are_named_are_answered_for(host: str, status: int) -> None:
    fixture = HttpFixture(allowed_hosts=("api.test", "*.example.com", "[::1]"))

    answer = await fixture.client.get("/datasets", headers={"Host": host})

    assert answer.status_code == status
    if status == 400:
        problem(answer, 400, "unknown_host")


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("127.1.2.3", True),
        ("[::1]:8000", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8000", False),
        ("10.0.0.1", False),
        ("[::2]", False),
        ("a.localhost", False),
    ],
)
def test_c35_the_names_of_loopback_lead_to_this_machine(host: str, is_accepted: bool) -> None:
    assert Hosts(LOOPBACK).accepts(host.encode()) is is_accepted


async def test_c35_a_forwarded_host_is_passed_over() -> None:
    fixture = HttpFixture(allowed_hosts=("api.test",))
    headers = {"Host": "evil.test", "X-Forwarded-Host": "api.test"}

    problem(await fixture.client.get("/", headers=headers), 400, "unknown_host")


# ---------------------------------------------------------------- writes of other sites

_WRITES = (
    ("POST", "/fetch"),
    ("POST", "/tasks"),
    ("PUT", "/tasks/1"),
    ("PATCH", "/tasks/1"),
    ("DELETE", "/tasks/1"),
    ("POST", "/auth/login"),
    ("POST", "/nothing"),
)


@pytest.mark.parametrize(("method", "path"), _WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": BASE},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://catchment.test:8001"},
    ],
)
async def test_c36_a_page_of_another_site_cannot_write(
    client: httpx.AsyncClient, headers: dict[str, str], method: str, path: str
) -> None:
    problem(await client.request(method, path, headers=headers), 403, "cross_site")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": BASE},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_c36_programs_and_pages_of_this_site_can(
    fixture: HttpFixture, headers: dict[str, str]
) -> None:
    assert (await fixture.client.post("/fetch", headers=headers)).status_code == 200


@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "cross-site"}])
async def test_c36_a_page_that_is_named_can(site: dict[str, str]) -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))

    ours = await fixture.client.post("/fetch", headers={"Origin": "https://app.test", **site})
    others = await fixture.client.post("/fetch", headers={"Origin": "https://evil.test", **site})

    assert ours.status_code != 403
    problem(others, 403, "cross_site")


async def test_c36_a_page_of_another_site_can_read_what_is_open(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200


# ---------------------------------------------------------------- addresses


async def statuses(fixture: HttpFixture, *forwarded: str, client: str = "10.0.0.1") -> list[int]:
    """Return the statuses of logins without a body from these forwarded addresses."""
    transport = httpx.ASGITransport(fixture.app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as asking:
        answers = [
            await asking.post("/auth/login", headers={"X-Forwarded-For": text})
            for text in forwarded
        ]
    return [answer.status_code for answer in answers]


async def test_what_strangers_say_of_their_address_is_passed_over() -> None:
    fixture = HttpFixture(client_limits=LIMITS)

    assert await statuses(fixture, "1.1.1.1", "2.2.2.2", "3.3.3.3") == [415, 415, 429]


async def test_a_trusted_proxys_word_counts() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.0/8",))

    answers = await statuses(fixture, "1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2")

    assert answers == [415, 415, 429, 415]


async def test_addresses_before_the_last_untrusted_hop_are_ignored() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.0/8", "::1"))

    answers = await statuses(
        fixture, "9.9.9.1, 1.1.1.1, 10.0.0.2", "9.9.9.2,1.1.1.1", "junk, 1.1.1.1"
    )

    assert answers == [415, 415, 429]


async def test_junk_from_a_trusted_proxy_counts_as_the_proxy() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.1",))

    assert await statuses(fixture, "junk", "", "1.1.1.1, x") == [415, 415, 429]


async def test_only_trusted_proxies_are_believed() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.1",))

    answers = await statuses(fixture, "1.1.1.1", "2.2.2.2", "3.3.3.3", client="11.0.0.1")

    assert answers == [415, 415, 429]


async def test_the_addresses_of_one_household_count_together() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.1",))

    answers = await statuses(
        fixture, "2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "[2001:db8:1:2::3]", "2001:db8:1:3::1"
    )

    assert answers == [415, 415, 429, 415]


async def test_an_address_of_ipv4_is_the_same_however_it_is_written() -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.1",))

    assert await statuses(fixture, "1.1.1.1", "::ffff:1.1.1.1", "1.1.1.1") == [415, 415, 429]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("1.1.1.1", "1.1.1.1:443", "1.1.1.2:443"),
        ("2001:db8:1:2::1", "[2001:db8:1:2::1]:443", "[2001:db8:1:3::1]:443"),
        ("2001:db8:1:2:3:4:5:443", "2001:db8:1:2:3:4:5:80", "2001:db8:1:5:3:4:5:443"),
    ],
)
async def test_the_port_of_an_address_does_not_count(one: str, same: str, other: str) -> None:
    fixture = HttpFixture(client_limits=LIMITS, trusted_proxies=("10.0.0.1",))

    assert await statuses(fixture, one, same, one, other) == [415, 415, 429, 415]


async def test_a_trusted_proxy_says_whether_it_was_asked_by_https() -> None:
    fixture = HttpFixture(trusted_proxies=("127.0.0.1",))

    answer = await fixture.client.get("/", headers={"X-Forwarded-Proto": "https"})
    plain = await HttpFixture().client.get("/", headers={"X-Forwarded-Proto": "https"})

    assert "https://catchment.test" in answer.json()["try"][0]
    assert "http://catchment.test" in plain.json()["try"][0]


# ---------------------------------------------------------------- proxies and probes


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_answers_for_any_host(method: str, path: str) -> None:
    fixture = HttpFixture(allowed_hosts=("api.test",), root_path="/catchment")

    for asked in (path, f"/catchment{path}"):
        answer = await fixture.client.request(method, asked, headers={"Host": "127.0.0.1:8000"})
        assert answer.status_code == 200
    fixture = HttpFixture(allowed_hosts=("api.test",))
    for asked in ("/", "/data", "/healthy", "/docs"):
        answer = await fixture.client.get(asked, headers={"Host": "127.0.0.1:8000"})
        problem(answer, 400, "unknown_host")


async def test_what_says_nothing_of_caches_is_kept_by_none() -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))
    made = await fixture.client.post("/tasks", json={"title": "a", "repository": "a/b"})
    ways = [
        ("GET", "/", "no-store"),
        ("GET", "/datasets", "no-store"),
        ("GET", "/health/live", "no-store"),
        ("GET", "/health/ready", "no-store"),
        ("GET", "/health", "no-store"),
        ("GET", "/api/data", "no-store"),
        ("POST", "/fetch", "no-store"),
        ("OPTIONS", "/data", "no-store"),
        ("GET", "/redoc", "no-store"),
        ("GET", "/nothing", "no-store"),
        ("GET", "/tasks", "private, no-cache"),
        ("GET", made.headers["location"], "private, no-cache"),
    ]

    answers = [
        (method, path, ", ".join(answer.headers.get_list("cache-control")))
        for method, path, _ in ways
        if (answer := await fixture.client.request(method, path))
    ]

    assert answers == ways


@pytest.mark.parametrize("max_age_s", [0, 30])
@pytest.mark.parametrize(
    "path", ["/data", "/data?format=csv", "/docs", "/datasets", "/tasks", "/nothing"]
)
async def test_there_is_one_line_that_says_what_answers_vary_by(path: str, max_age_s: int) -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",), cache_max_age_s=max_age_s)

    for _ in range(2):
        answer = await fixture.client.get(path)
        [line] = answer.headers.get_list("vary")
        names = line.split(", ")
        assert len(names) == len(set(names))
        assert "Origin" in names
        assert path == "/nothing" or "Accept-Encoding" in line
        assert not path.startswith("/data?") or line.startswith("Accept, Authorization")


@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/docs", "/redoc", "/openapi.json"])
async def test_what_can_only_be_read_says_so(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.options(path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_pages_of_others_may_send_traces_and_read_what_a_download_is_called() -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))

    asked = await fixture.client.options("/data", headers=PREFLIGHT)
    answer = await fixture.client.get("/data", headers={"Origin": "https://app.test"})

    for name in ("traceparent", "tracestate", "baggage"):
        assert name in asked.headers["access-control-allow-headers"]
    for name in ("Content-Disposition", "Link", "ETag"):
        assert name in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "offer", ["TLS/1.2", "h2c", "HTTP/2.0, SHTTP/1.3, IRC/6.9", "foo", "TLS/1.2, h2c"]
)
async def test_an_offer_of_another_protocol_is_passed_over(
    client: httpx.AsyncClient, offer: str
) -> None:
    headers = {"Upgrade": offer, "Connection": "Upgrade"}

    for path in ("/data", "/health", "/docs"):
        assert (await client.get(path, headers=headers)).status_code == 200


# ---------------------------------------------------------------- limits on fetches


async def test_c26_one_client_may_fetch_only_so_often() -> None:
    fixture = HttpFixture(client_limits=LIMITS)
    answers = [await fixture.client.post("/fetch") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"fetch";r=1;t=0',
        '"fetch";r=0;t=30',
        '"fetch";r=0;t=30',
    ]
    problem(answers[2], 429, "too_many_requests")
    assert answers[2].headers["retry-after"] == "30"
    fixture.clock.advance(31)
    assert (await fixture.client.post("/fetch")).status_code == 200


async def test_one_client_may_make_and_change_only_so_many_tasks() -> None:
    fixture = HttpFixture(client_limits=LIMITS)
    body = {"title": "mend it", "repository": "someone/something"}
    made = [await fixture.client.post("/tasks", json=body) for _ in range(3)]
    task = made[0].json()["id"]

    assert [answer.status_code for answer in made] == [201, 201, 429]
    problem(await fixture.client.put(f"/tasks/{task}", json=body), 429, "too_many_requests")
    problem(
        await fixture.client.request(
            "PATCH",
            f"/tasks/{task}",
            json={},
            headers={"Content-Type": "application/merge-patch+json"},
        ),
        429,
        "too_many_requests",
    )
    assert (await fixture.client.get(f"/tasks/{task}")).status_code == 200
