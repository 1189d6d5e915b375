"""The envelope around records: what was asked, and how current it is."""

from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.http.datasets.query_string import ReadQuery
from application.datasets.catalogue import FreshnessStatus
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.paging import Page

_encode = msgspec.json.Encoder().encode


def page_envelope(
    dataset: Dataset[Any],
    query: ReadQuery,
    page: Page[Any],
    records: Sequence[Any],
    cursor: str | None,
    status: FreshnessStatus,
) -> bytes:
    """Return a page's envelope, up to where it differs from one request to the next."""
    paging = {
        "limit": query.request.limit,
        "offset": query.request.offset,
        "next_cursor": cursor,
        "has_more": page.next_cursor is not None,
        "total": page.total,
        "total_relation": page.total_relation,
    }
    return b'{"data":%b,"count":%d,"page":%b,"meta":%b' % (
        _encode(records),
        len(page.rows),
        _encode(paging),
        _meta(dataset, page.freshness, status),
    )


def record_envelope(
    dataset: Dataset[Any], record: Any, freshness: Freshness, status: FreshnessStatus
) -> bytes:
    """Return one record's envelope, up to where it differs from one request to the next."""
    return b'{"data":%b,"meta":%b' % (_encode(record), _meta(dataset, freshness, status))


def _meta(dataset: Dataset[Any], freshness: Freshness, status: FreshnessStatus) -> bytes:
    return _encode(
        {
            "dataset": dataset.name,
            "seq": freshness.seq,
            "fetched_at": status.fetched_at,
            "next_fetch_at": status.next_fetch_at,
            "sources": [checkpoint.source for checkpoint in freshness.checkpoints],
        }
    )
