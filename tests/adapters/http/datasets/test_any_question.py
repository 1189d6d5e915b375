"""Any request for `/data` gets records or a problem, never a server error."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from adapters.http.datasets.query_string import CONTROLS
from domain.filters import Condition, Operator, operators_of
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import GAUGES, POSTS, SOME_GAUGES, posts
from tests.adapters.http.stores import STORES
from tests.strategies import values_of

KNOWN = [*GAUGES.fields, *POSTS.fields]
FIELDS = [*KNOWN, "colour", "", "_", "__", "state__", "id__eq__eq", "d_posts"]

hostile_texts = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "1",
        "1,2",
        "1e3",
        "1_000",
        "٣",
        "9223372036854775808",
        "9" * 400,
        "1e400",
        "NaN",
        "true",
        "null",
        "dry,wet",
        "2026-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60Z",
        "-id",
        "-level,-station",
        ",".join(["station"] * 200),
        "id;drop table d_posts",
        "' OR 1=1 --",
        "%_%_%" * 100,
        "\\",
        "\\,",
        "\ufffd",
        "\u202e",
        "\ud83d",
        "\0",
        "\r\nX-Injected: 1",
        "../../etc/passwd",
        "csv",
        "ndjson",
        "exact",
        "bounded",
        "AAAA",
    ]
)
texts = hostile_texts | st.text(max_size=10)
names = (
    st.sampled_from(CONTROLS)
    | texts
    | st.builds(
        lambda field, operator: f"{field}__{operator}" if operator else field,
        st.sampled_from(FIELDS),
        st.sampled_from(["", *Operator, "like", "EQ", "$ne"]),
    )
)


def _quoted(text: str) -> str:
    return quote_plus(text, errors="surrogatepass")


pairs = st.builds(lambda name, value: f"{_quoted(name)}={_quoted(value)}", names, texts)


@st.composite
def sound(draw: st.DrawFn) -> str:
    """Return a valid condition with any value of its field's type."""
    field = draw(st.sampled_from(list(GAUGES.fields.values())))
    operator = draw(st.sampled_from(operators_of(field)))
    value = values_of(field)
    operand: Any = draw(value)
    if operator is Operator.ISNULL:
        operand = draw(st.booleans())
    if operator.takes_list:
        operand = tuple(draw(st.lists(value, min_size=2, max_size=2)))
    condition = Condition(field, operator, operand)
    return f"{condition.name}={_quoted(condition.text)}"


controls = st.sampled_from(
    [
        "sort=-level",
        "sort=seen_at,-body",
        "sort=-state,limit",
        "fields=body,limit",
        "limit=1",
        "offset=2",
        "count=exact",
        "count=bounded",
        "format=csv",
        "format=ndjson",
    ]
)
raw = st.sampled_from(["&", "=", "%", "%ff", "%0", "a", ";", "#", "[]=1", "user_id[$ne]=1"])
some_sound = st.lists(sound() | sound() | controls, max_size=3, unique_by=lambda p: p[:5])
some_hostile = st.lists(pairs | pairs | raw, max_size=3)
queries = (some_sound | st.builds(list.__add__, some_sound, some_hostile)).map("&".join)
paths = st.sampled_from(["/data/gauges", "/data/gauges", "/data", "/data/gauges/north/1"])
accepts = st.sampled_from(
    [
        "*/*",
        "*/*",
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "image/png",
        ",;q=",
        "\xff",
    ]
)
tags = st.sampled_from(["*", "", '"x"', 'W/"x", *'])


Ask = Callable[[str, dict[str, str]], Conversation]


@pytest.fixture(scope="module", params=STORES)
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Return a function that sends requests to an application over each kind of store."""
    with asyncio.Runner() as runner:
        opened = STORES[request.param](GAUGES)
        fixture = runner.run(opened.__aenter__())
        runner.run(fixture.bring(posts(30)))
        runner.run(fixture.bring(SOME_GAUGES, GAUGES))

        def asked(url: str, headers: dict[str, str]) -> Conversation:
            conversation = Conversation(fixture.app)
            runner.run(conversation.get(url, headers))
            return conversation

        yield asked
        runner.run(opened.__aexit__(None, None, None))


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(paths, queries, accepts, st.none() | st.none() | tags)
def test_any_question_gets_an_envelope_an_export_or_a_problem(
    ask: Ask, path: str, query: str, accept: str, tag: str | None
) -> None:
    headers = {"accept": accept} | ({"if-none-match": tag} if tag is not None else {})

    answer = ask(f"{path}?{query}", headers)

    event(str(answer.status))
    assert answer.finished
    assert answer.status < 500, answer.body
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status == 304:
        assert answer.body == b""
    elif answer.status >= 400:
        assert kind == "application/problem+json"
        assert json.loads(answer.body)["status"] == answer.status
    elif kind == "application/json":
        assert list(json.loads(answer.body))[-3:] == ["stale", "request_id", "api_latency_ms"]
    elif kind == "application/x-ndjson":
        assert all(isinstance(json.loads(line), dict) for line in answer.body.splitlines())
    else:
        assert kind == "text/csv"
        assert answer.body.endswith(b"\r\n")
