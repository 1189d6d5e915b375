"""The envelope around records: what was asked, how current it is, and what the request cost."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

from adapters.http.datasets.query_string import ReadQuery
from adapters.http.protocol.asgi import Scope
from adapters.http.protocol.negotiation import json_of
from application.datasets.catalogue import FreshnessStatus
from application.datasets.query import Query
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Role
from domain.paging import Page


class ReadRequest(NamedTuple):
    """One request for reading, and when it arrived (`perf_counter`)."""

    scope: Scope
    query: Query[Any]
    role: Role
    started: float

    @property
    def dataset(self) -> Dataset[Any]:
        """The dataset that is asked for."""
        return self.query.dataset


def page_of(
    asked: ReadRequest,
    question: ReadQuery,
    page: Page[Any],
    records: Sequence[Any],
    cursor: str | None,
    standing: FreshnessStatus,
) -> bytes:
    """A page's envelope, up to where it differs from one request to the next."""
    paging = {
        "limit": question.request.limit,
        "offset": question.request.offset,
        "next_cursor": cursor,
        "has_more": page.next_cursor is not None,
        "total": page.total,
        "total_relation": page.total_relation,
    }
    return b'{"data":%b,"count":%d,"page":%b,"meta":%b' % (
        json_of(records),
        len(page.rows),
        json_of(paging),
        _meta(asked.dataset, page.freshness, standing),
    )


def record_of(
    asked: ReadRequest, record: Any, freshness: Freshness, standing: FreshnessStatus
) -> bytes:
    """One record's envelope, up to where it differs from one request to the next."""
    meta = _meta(asked.dataset, freshness, standing)
    return b'{"data":%b,"meta":%b' % (json_of(record), meta)


def ending_of(request_id: bytes, started: float, stale: bool) -> bytes:
    """What differs from one request to the next: it ends every envelope."""
    return b',"stale":%b,"request_id":"%b","api_latency_ms":%.2f}' % (
        b"true" if stale else b"false",
        request_id,  # the front lets nothing pass that needs escaping
        (perf_counter() - started) * 1000,
    )


def _meta(dataset: Dataset[Any], freshness: Freshness, standing: FreshnessStatus) -> bytes:
    return json_of(
        {
            "dataset": dataset.name,
            "seq": freshness.seq,
            "fetched_at": standing.fetched_at,
            "next_fetch_at": standing.next_fetch_at,
            "sources": [checkpoint.source for checkpoint in freshness.checkpoints],
        }
    )
