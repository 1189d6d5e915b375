"""Declarations: the datasets and hosts of a file, validated and converted to values."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec

from domain.auth_plans import auth_of, secret_of
from domain.blocks import DatasetBlock, DeclarationsFile, HostBlock, SecretBlock, SourceBlock
from domain.dataset import Dataset, Role
from domain.errors import CatchmentError, InvalidQuery
from domain.field_plans import FieldPlan, plan_of, record_of
from domain.filters import Filter
from domain.page_plans import optional, pages_of
from domain.pages import Pages
from domain.paging import Sort
from domain.pointers import Pointer, parse_pointer
from domain.politeness import Rate
from domain.secrets import Auth, HeaderAuth, QueryAuth
from domain.sources import Request
from domain.strict_reading import InvalidTable, Keys, Problem, read_strictly
from domain.units import duration, positive_duration, rate

V = TypeVar("V")

#: Names that a dataset may not have, because a path or a table has them.
RESERVED = frozenset({"tasks", "jobs", "status"})
LONGEST_DEADLINE = timedelta(hours=1)
#: Headers that the client sets itself, or that would change the target of a request.
_FORBIDDEN_HEADERS = ("host", "cookie", "authorization", "accept-encoding")
_FORBIDDEN_PREFIXES = ("content-", "if-", "proxy-")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4096}")


class DeclaredSource(msgspec.Struct, frozen=True, kw_only=True):
    """The request to one source, and how its bodies are read.

    `reading` changes with everything that determines the records of a body.
    """

    name: str
    request: Request
    format: str
    records: Pointer
    columns: Pointer | None
    pages: Pages
    fields: tuple[FieldPlan, ...]
    reading: str
    auth: tuple[Auth, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One declared dataset; None means that the operator's settings decide."""

    dataset: Dataset[Any]
    sources: tuple[DeclaredSource, ...]
    every: timedelta | None
    is_scheduled: bool
    at_most_every: timedelta | None
    stale_after: timedelta | None
    deadline: timedelta | None


class DeclaredHost(msgspec.Struct, frozen=True, kw_only=True):
    """The declared rules for one host."""

    rate: Rate | None = None
    private: bool = False
    auth: Auth | None = None


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """All declared datasets and hosts."""

    datasets: Mapping[str, Declaration]
    hosts: Mapping[str, DeclaredHost]


NOTHING_DECLARED = Declarations(datasets={}, hosts={})


def declarations_of(table: Any) -> Declarations:
    """Return the declarations in a table; raise InvalidTable with all its errors."""
    file = read_strictly(table, DeclarationsFile)
    check = _Checks()
    hosts = {name: check(("hosts", name), _host, name, block) for name, block in file.hosts.items()}
    datasets = {
        name: check(("datasets", name), _declaration, name, block, hosts)
        for name, block in file.datasets.items()
    }
    check.done()
    return Declarations(datasets=datasets, hosts=hosts)


class _Checks:
    """The collected errors of several checks."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __call__(self, keys: Keys, make: Callable[..., V], *values: Any) -> V:
        """Return `make(*values)`, or record its error.

        The result may be used only if `done` does not raise.
        """
        try:
            return make(*values)
        except InvalidTable as invalid:
            self._problems += [Problem((*keys, *p.keys), p.detail) for p in invalid.problems]
        except InvalidQuery as error:
            at = () if error.parameter in keys else (error.parameter,)
            self._problems.append(Problem((*keys, *at), error.detail))
        except CatchmentError as error:
            self._problems.append(Problem(keys, error.detail))
        except ValueError as error:
            self._problems.append(Problem(keys, str(error)))
        return cast(V, None)

    def done(self) -> None:
        """Raise InvalidTable if there was an error."""
        if self._problems:
            raise InvalidTable(self._problems)


def _host(name: str, block: HostBlock) -> DeclaredHost:
    check = _Checks()
    check((), _check_host, name)
    allowed = check(("rate",), rate, block.rate) if block.rate else None
    auth = check(("auth",), auth_of, block.auth) if block.auth else None
    check.done()
    return DeclaredHost(rate=allowed, private=block.private, auth=auth)


def _check_host(name: str) -> None:
    parts = urlsplit(f"//{name}")
    if name != name.lower() or parts.hostname is None or parts.netloc != name or "@" in name:
        raise ValueError("expected a host in lower case, such as api.example.com or 10.0.0.5:8080")
    if parts.port in (80, 443):
        raise ValueError("expected the host without its usual port")


def _declaration(name: str, block: DatasetBlock, hosts: Mapping[str, DeclaredHost]) -> Declaration:
    check = _Checks()
    plans = [check(("fields", field), plan_of, field, spec) for field, spec in block.fields.items()]
    source = check((), _source, name, block, plans, hosts)
    every = check(("every",), _period, block.every)
    at_most_every = check(("at_most_every",), optional, duration, block.at_most_every)
    stale_after = check(("stale_after",), optional, positive_duration, block.stale_after)
    deadline = check(("deadline",), optional, _deadline, block.deadline)
    check.done()
    default = Role.USER if source.auth else Role.ANYONE
    dataset = check((), _dataset, name, block, plans, default)
    check.done()
    return Declaration(
        dataset=dataset,
        sources=(source,),
        every=every,
        is_scheduled=block.every != "off",
        at_most_every=at_most_every,
        stale_after=stale_after,
        deadline=deadline,
    )


def _period(text: str | None) -> timedelta | None:
    return None if text in (None, "off") else positive_duration(str(text))


def _deadline(text: str) -> timedelta:
    read = positive_duration(text)
    if read > LONGEST_DEADLINE:
        raise ValueError("expected at most 1h")
    return read


# ---------------------------------------------------------------- the dataset


def _dataset(
    name: str, block: DatasetBlock, plans: Iterable[FieldPlan], default: Role
) -> Dataset[Any]:
    if name in RESERVED:
        raise ValueError(f"the name {name} is taken by Catchment; choose another one")
    key = (block.key,) if isinstance(block.key, str) else tuple(block.key)
    indexes = tuple((each,) if isinstance(each, str) else tuple(each) for each in block.indexes)
    dataset: Dataset[Any] = Dataset(
        name=name,
        record=record_of(name, plans),
        key=key,
        default_sort=block.sort,
        indexes=indexes,
        read_by=Role(block.read_by or default),
        fetch_by=Role(block.fetch_by or default),
        about=block.about,
    )
    check = _Checks()
    check(("sort",), Sort.parse, dataset, block.sort)
    visible = check(("visible",), _visible, dataset, block.visible)
    check.done()
    return replace(dataset, visible=visible) if visible else dataset


def _visible(dataset: Dataset[Any], filters: Mapping[str, str]) -> dict[Role, Filter]:
    visible = {}
    for role, text in filters.items():
        if role not in [*Role]:
            raise ValueError(f"{role} is not a role; there are: {', '.join(Role)}")
        conditions = parse_qsl(text, keep_blank_values=True)
        if not conditions:
            raise ValueError(f"expected a filter such as valid=true for {role}")
        visible[Role(role)] = Filter.parse(dataset.fields, conditions)
    return visible


# ---------------------------------------------------------------- the source


def _source(
    name: str, block: SourceBlock, plans: list[FieldPlan], hosts: Mapping[str, DeclaredHost]
) -> DeclaredSource:
    check = _Checks()
    check(("url",), _check_url, block.url)
    for header, value in block.headers.items():
        check(("headers", header), _check_header, header, value)
    auth = check((), _auth, block, hosts)
    records = check(("records",), parse_pointer, block.records)
    columns = check(("columns",), optional, parse_pointer, block.columns)
    pages = check(("pages",), pages_of, block)
    check.done()
    format = block.format or "json"
    if format != "json" and (block.records or block.columns):
        raise ValueError(f"records and columns belong to JSON; a body of {format} is its records")
    reading = msgspec.json.encode((records, columns, format, plans))
    return DeclaredSource(
        name=name,
        request=Request(
            block.url,
            {n: _text(v) for n, v in block.params.items() if not isinstance(v, SecretBlock)},
            {n: v for n, v in block.headers.items() if not isinstance(v, SecretBlock)},
        ),
        format=format,
        records=records,
        columns=columns,
        pages=pages,
        fields=tuple(plans),
        reading=hashlib.sha256(reading).hexdigest()[:16],
        auth=auth,
    )


def _auth(block: SourceBlock, hosts: Mapping[str, DeclaredHost]) -> tuple[Auth, ...]:
    """Return the authentication of requests: the block's or its host's, and secret values."""
    check = _Checks()
    found: list[Auth] = []
    if block.auth is not None:
        found.append(check(("auth",), auth_of, block.auth))
    elif (host := hosts.get(_host_of(block.url))) is not None and host.auth is not None:
        found.append(host.auth)
    for name, value in block.params.items():
        if isinstance(value, SecretBlock):
            found.append(QueryAuth(name, check(("params", name), secret_of, value)))
    for name, each in block.headers.items():
        if isinstance(each, SecretBlock):
            found.append(HeaderAuth(name, check(("headers", name), secret_of, each)))
    check.done()
    return tuple(found)


def _host_of(url: str) -> str:
    """Return the host of a URL as in `[hosts]`: in lower case, without the default port."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    is_usual = parts.port in (None, usual)
    return parts.hostname or "" if is_usual else f"{parts.hostname}:{parts.port}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as https://api.example.com/v1/items")
    if parts.username or parts.password:
        raise ValueError("a URL holds no name and no password; say them as auth")


def _check_header(name: str, value: str | SecretBlock) -> None:
    lower = name.lower()
    if lower in _FORBIDDEN_HEADERS or lower.startswith(_FORBIDDEN_PREFIXES):
        raise ValueError("this header is Catchment's to send")
    text = "" if isinstance(value, SecretBlock) else value
    if not _TOKEN.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
        raise ValueError("expected a header name, and a value of one line")
