"""Declarations: what a file means, and everything that is wrong with one at once."""

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from domain.dataset import Role
from domain.declarations import Declaration, Declarations, declarations_of
from domain.field_plans import Around, FieldPlan, Origin, constant
from domain.fields import FieldType
from domain.pages import (
    After,
    Ends,
    FirstPage,
    LinkHeader,
    NextHeader,
    NextMember,
    NoPages,
    Number,
    Offset,
    Pages,
    Token,
)
from domain.pointers import Pointer
from domain.politeness import Rate
from domain.strict_reading import InvalidTable, Problem

SMALL = """
[datasets.owners]
url = "https://api.example.com/owners"
key = "id"
fields = { id = "integer", name = "string?" }
"""


def declared(text: str) -> Declarations:
    return declarations_of(tomllib.loads(text))


def owners(more: str = "", fields: str = "") -> Declaration:
    text = SMALL.replace("key =", f"{more}\nkey =").replace('"string?"', f'"string?"{fields}')
    return declared(text).datasets["owners"]


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidTable) as refused:
        declared(text)
    return list(map(str, refused.value.problems))


def problem(more: str = "", fields: str = "") -> str:
    """Return what is wrong with the small block when something is added to it."""
    with pytest.raises(InvalidTable) as refused:
        owners(more, fields)
    [only] = refused.value.problems
    return str(only)


def test_the_smallest_block_is_a_dataset_with_one_source() -> None:
    block = owners()

    assert list(block.dataset.fields) == ["id", "name", "_changed_at"]
    assert block.dataset.fields["name"].nullable
    assert block.dataset.key == ("id",)
    [source] = block.sources
    assert source.request.address == "https://api.example.com/owners"
    assert source.pages == Pages(paginator=NoPages())
    assert (block.every, block.at_most_every, block.stale_after, block.deadline) == (None,) * 4
    assert block.is_scheduled


def test_a_block_says_how_its_dataset_is_served() -> None:
    block = owners(
        'about = "Who owns"\nsort = "-name"\nindexes = ["name", ["name", "id"]]\n'
        'every = "10m"\nat_most_every = "0s"\nstale_after = "1h"\ndeadline = "1h"\n'
        'read_by = "user"\nfetch_by = "admin"\nvisible = { user = "name=ann" }'
    )

    dataset = block.dataset
    assert dataset.about == "Who owns"
    assert dataset.default_sort == "-name"
    assert dataset.indexes == (("name",), ("name", "id"))
    assert (dataset.read_by, dataset.fetch_by) == (Role.USER, Role.ADMIN)
    assert dataset.seen_by(Role.USER).format() == [("name__eq", "ann")]
    assert dataset.seen_by(Role.ADMIN).format() == []
    assert block.every == timedelta(minutes=10)
    assert block.at_most_every == timedelta()
    assert block.stale_after == block.deadline == timedelta(hours=1)


def test_a_schedule_that_is_off_is_none() -> None:
    block = owners('every = "off"')
    assert (block.every, block.is_scheduled) == (None, False)


def test_parameters_and_headers_go_along() -> None:
    block = owners('params = { size = 100, full = true, q = "a b" }\nheaders = { X-Team = "shop" }')
    [source] = block.sources
    assert source.request.address == "https://api.example.com/owners?size=100&full=true&q=a+b"
    assert source.request.headers == {"X-Team": "shop"}


@pytest.mark.parametrize(
    ("pages", "meaning"),
    [
        ('"none"', NoPages()),
        ('"link"', LinkHeader()),
        ('"first"', FirstPage()),
        ("{ link = true }", LinkHeader()),
        ('{ next = "/links/next" }', NextMember(Pointer(("links", "next")))),
        ('{ next_header = "X-More" }', NextHeader("X-More")),
        ('{ token = "/t", send = "cursor" }', Token("cursor", Pointer(("t",)))),
        ('{ token_header = "X-T", send = "cursor" }', Token("cursor", None, "X-T")),
        ('{ number = "page" }', Number("page", 1)),
        ('{ number = "page", from = 0 }', Number("page", 0)),
        ('{ offset = "skip" }', Offset("skip")),
        ('{ after = "/id", send = "after" }', After(Pointer(("id",)), "after")),
    ],
)
def test_every_way_to_the_next_page_can_be_said(pages: str, meaning: Any) -> None:
    [source] = owners(f"pages = {pages}\nmax_pages = 7\nmax_records = 9").sources
    assert source.pages == Pages(paginator=meaning, max_pages=7, max_records=9)


def test_any_of_them_takes_what_says_the_end() -> None:
    says = 'more = "/m", total = "/n", total_header = "X-N", last = "/l", last_header = "X-L"'
    [source] = owners(f'pages = {{ number = "page", {says} }}').sources
    assert source.pages.ends == Ends(
        more=Pointer(("m",)),
        total=Pointer(("n",)),
        total_header="X-N",
        last=Pointer(("l",)),
        last_header="X-L",
    )


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("pages = {}", "expected one of link, next, next_header, token, number, offset, after"),
        ('pages = { link = true, offset = "o" }', "after, and there are 2"),
        ('pages = { token = "/t" }', "send is missing"),
        ('pages = { after = "/id" }', "send is missing"),
        ('pages = { offset = "o", send = "x" }', "send belongs to token and after"),
        ('pages = { offset = "o", from = 1 }', "from is the number of the first page"),
        ('pages = { offset = "o", last = "/l" }', "last is the number of the last page"),
        ('pages = { next = "next" }', "expected a JSON Pointer, such as /next"),
        ('pages = { next = "/a/*" }', "/a/* leads to one value"),
        ('pages = "all"', 'expected "none" or "link" or "first" or a table, and there is "all"'),
        ("max_pages = 0", "max_pages and max_records are at least 1"),
        ('records = "data"', "owners.records: expected a JSON Pointer, such as /data"),
        ('columns = "data"', "owners.columns: expected a JSON Pointer, such as /data"),
        ('format = "csv"\nrecords = "/data"', "records and columns belong to JSON"),
        ('every = "soon"', "owners.every: expected a duration such as 30s, 15m, 2h or 1d"),
        ('deadline = "2h"', "owners.deadline: expected at most 1h"),
        ('stale_after = "0s"', "owners.stale_after: expected a duration above zero"),
        ('headers = { Cookie = "x" }', "owners.headers.Cookie: this header is Catchment's to send"),
        ('headers = { If-Match = "x" }', "this header is Catchment's to send"),
        ('headers = { X = "a\\nb" }', "a value of one line"),
        ('visible = { boss = "name=x" }', "owners.visible: boss is not a role; there are: anyone"),
        ('visible = { user = "" }', "expected a filter such as valid=true"),
        ('visible = { user = "nme=x" }', "owners.visible.nme: unknown parameter"),
        ('sort = "nme"', "owners.sort: cannot sort by that"),
        ('indexes = ["nme"]', "no sortable field 'nme'"),
        ('read_by = "all"', 'expected "anyone" or "user" or "admin", and there is "all"'),
        ("params = { a = [1] }", "expected text or a whole number or a number or true or false"),
        ("about = 7", "owners.about: expected text, and there is 7"),
        ("indexes = true", "expected a list of text or a list of text, and there is true"),
        ("params = 2026-01-01", "and there is a date"),
        ('about = { a = "b" }', "owners.about: expected text, and there is a table"),
    ],
)
def test_a_block_that_cannot_mean_anything_says_what_would_do(more: str, wrong: str) -> None:
    assert wrong in problem(more)


@pytest.mark.parametrize(
    ("fields", "plan"),
    [
        ('x = "number"', {"type": FieldType.NUMBER}),
        ('x = "list?"', {"type": FieldType.TEXTS, "nullable": True}),
        (
            'x = { type = "datetime", from = "/a/b", as = "%d.%m.%Y", zone = "Europe/Berlin" }',
            {
                "type": FieldType.TIME,
                "origin": Origin(Around.RECORD, Pointer(("a", "b"))),
                "written": "%d.%m.%Y",
                "zone": "Europe/Berlin",
            },
        ),
        (
            'x = { type = "string", from = "$/meta/v", choices = ["a", "b"], null = ["-"] }',
            {
                "type": FieldType.TEXT,
                "origin": Origin(Around.BODY, Pointer(("meta", "v"))),
                "choices": ("a", "b"),
                "null": ("-",),
            },
        ),
        ('x = { type = "string", from = "#" }', {"origin": Origin(Around.MEMBER)}),
        ('x = { type = "string", from = "@source" }', {"origin": Origin(Around.SOURCE)}),
        ('x = { type = "string", from = "" }', {"origin": Origin(Around.RECORD, Pointer())}),
        ('x = { type = "number", const = 1 }', {"type": FieldType.NUMBER, "const": 1}),
    ],
)
def test_a_field_says_where_its_value_is_and_how_it_is_written(
    fields: str, plan: dict[str, Any]
) -> None:
    [source] = owners(fields=f", {fields}").sources
    usual = {
        "name": "x",
        "type": FieldType.TEXT,
        "origin": Origin(Around.RECORD, Pointer(("x",))),
    }
    assert source.fields[-1] == FieldPlan(**{**usual, **plan})


def test_a_constant_is_of_its_fields_type() -> None:
    [source] = owners(fields=', x = { type = "number", const = 1 }').sources
    assert repr(constant(source.fields[-1])) == "1.0"
    [source] = owners(fields=', x = { type = "integer", const = 1 }').sources
    assert repr(constant(source.fields[-1])) == "1"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ('x = "text"', "fields.x: unknown type 'text'; there are: integer, number"),
        ('x = "integr"', "did you mean integer?"),
        ('x = { type = "string", from = "/a/*" }', "from leads to one value"),
        ('x = { type = "string", as = "seconds" }', "unknown for string; there are: json"),
        ('x = { type = "list", as = "text" }', "unknown for list; there are: none"),
        ('x = { type = "datetime", as = "days" }', "milliseconds, date, http, a pattern"),
        ('x = { type = "string", zone = "UTC" }', "zone belongs to a datetime"),
        ('x = { type = "datetime", as = "seconds", zone = "UTC" }', "zone belongs to a datetime"),
        ('x = { type = "datetime", zone = "Mars" }', "'Mars' is not a time zone"),
        ('x = { type = "integer", choices = ["a"] }', "only a string has choices"),
        ('x = { type = "integer", const = "a" }', "const is not a integer"),
        ('x = { type = "integer", const = true }', "const is not a integer"),
        ('x = { type = "datetime", const = "a" }', "const is not a datetime"),
        ('x = { type = "string", const = "a", from = "/b" }', "a field with const has no from"),
        ('x = { typ = "string" }', "unknown key; did you mean type?"),
        ("x = 1", "expected text or a table, and there is 1"),
    ],
)
def test_a_field_that_cannot_mean_anything_says_what_would_do(fields: str, wrong: str) -> None:
    with pytest.raises(InvalidTable) as refused:
        owners(fields=f", {fields}")
    assert any(wrong in str(each) for each in refused.value.problems)


def test_all_errors_are_reported_at_once_with_the_nearest_known_key() -> None:
    assert problems(
        '[datasets.a]\nurl = "ftp://x"\nkeys = "id"\nfields = { id = "int" }\n'
        '[datasets.b]\nurl = 3\nkey = "id"\nfields = {}\n[hosts.c]\nrate = 5\n[things]\n'
    ) == [
        "datasets.a.keys: unknown key; did you mean key?",
        "datasets.a: key is missing",
        "datasets.b.url: expected text, and there is 3",
        "hosts.c.rate: expected text, and there is 5",
        "things: unknown key; there are: hosts, datasets",
    ]


def test_mistakes_of_several_blocks_come_together() -> None:
    text = SMALL + SMALL.replace("owners", "pets").replace("https", "ftp") + '[hosts."A.b"]\n'
    assert problems(text.replace('"integer"', '"int"')) == [
        'hosts."A.b": expected a host in lower case, such as api.example.com or 10.0.0.5:8080',
        "datasets.owners.fields.id: unknown type 'int'; did you mean integer?; there are: integer,"
        " number, boolean, string, datetime, list",
        "datasets.pets.fields.id: unknown type 'int'; did you mean integer?; there are: integer,"
        " number, boolean, string, datetime, list",
        "datasets.pets.url: expected a URL such as https://api.example.com/v1/items",
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (SMALL.replace("[datasets.owners]", "[datasets.tasks]"), "the name tasks is taken"),
        (SMALL.replace("[datasets.owners]", '[datasets."a b"]'), "'a b' is not a valid name"),
        (SMALL.replace('key = "id"', "key = []"), "needs a key"),
        (SMALL.replace('key = "id"', 'key = "name"'), "a key whose fields are never null"),
        (SMALL.replace("https://", "https://ann:pw@"), "a URL holds no name and no password"),
        ('[hosts."api.example.com:443"]', "the host without its usual port"),
        ('[hosts."api.example.com"]\nrate = "many"', 'hosts."api.example.com".rate: expected req'),
        ("datasets = 3", "datasets: expected a table, and there is 3"),
        ("datasets = [3]", "datasets: expected a table, and there is a list"),
    ],
)
def test_what_cannot_be_a_dataset_or_a_host_is_refused(text: str, wrong: str) -> None:
    assert any(wrong in each for each in problems(text))


def test_a_host_has_a_rate_and_may_be_private() -> None:
    hosts = declared('[hosts."10.0.0.5:8080"]\nrate = "20/1s"\nprivate = true\n[hosts.a]\n').hosts
    assert hosts["10.0.0.5:8080"].rate == Rate(20, 1.0)
    assert hosts["10.0.0.5:8080"].private
    assert (hosts["a"].rate, hosts["a"].private) == (None, False)


def test_only_what_decides_how_a_body_is_read_changes_its_version() -> None:
    def reading(more: str = "", fields: str = "") -> str:
        [source] = owners(more, fields).sources
        return source.reading

    assert reading() == reading('every = "1m"\nparams = { a = 1 }\nmax_pages = 3')
    changed = {reading(), reading('records = "/x"'), reading(fields=', x = "string"')}
    assert len(changed) == 3


def test_several_keys_identify_a_record_together() -> None:
    text = SMALL.replace('key = "id"', 'key = ["id", "place"]').replace(
        '"integer"', '"integer", place = "string"'
    )
    assert declared(text).datasets["owners"].dataset.key == ("id", "place")


def test_a_problem_is_written_with_its_keys() -> None:
    assert str(Problem(("hosts", "a.b", "rate"), "no")) == 'hosts."a.b".rate: no'
