"""Validators: what lets a client, or a cache between us, keep an answer and ask again cheaply."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from adapters.http.datasets.envelope import ReadRequest
from adapters.http.datasets.query_string import Format
from application.datasets.catalogue import FreshnessStatus
from domain.checkpoints import Freshness

_SECOND = timedelta(seconds=1)


class Validators:
    """The caching headers of a response; `database_id` is the database's random name."""

    def __init__(self, database_id: str, max_age_s: int) -> None:
        self._database_id = database_id
        self._max_age_s = max_age_s

    def headers(
        self,
        asked: ReadRequest,
        what: Any,
        format: Format,
        freshness: Freshness,
        standing: FreshnessStatus,
    ) -> dict[str, str]:
        """The headers of the answer to `what`, which stay as long as the data does."""
        tag = (
            self._database_id,
            asked.dataset.name,
            asked.dataset.fingerprint,
            freshness.seq,
            what,
            format.value,
            asked.role.value,
            standing.stale,
        )
        digest = hashlib.blake2b(msgspec.msgpack.encode(tag), digest_size=12).hexdigest()
        return {
            "Content-Type": format.media_type,
            "ETag": f'W/"{digest}"',
            "Vary": "Accept, Authorization",
        }

    def timed(
        self, standing: FreshnessStatus, now: datetime, private: bool = False
    ) -> dict[str, str]:
        """The headers that change as time goes by; a private answer is for its asker alone."""
        # A 304 costs next to nothing, and a page that lags behind looks broken.
        keep_s = self._max_age_s
        if keep_s and standing.next_fetch_at is not None:
            keep_s = min(keep_s, (standing.next_fetch_at - now) // _SECOND)
        age_s = 0
        if standing.fetched_at is not None:
            age_s = max(0, (now - standing.fetched_at) // _SECOND)
        # Caches count from the data's age, so that this much is left from now on.
        kept = f"max-age={age_s + keep_s}" if keep_s > 0 else "no-cache"
        timed = {"Cache-Control": f"private, {kept}" if private else kept}
        if standing.fetched_at is not None:
            timed["Age"] = str(age_s)
        return timed
