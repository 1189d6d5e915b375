"""1 000 valid records and 25 kinds of bad ones: none is lost, and a fix stores all of them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.formats.json import elements
from adapters.outbound.sources import HttpSource
from domain.builtin.posts import POSTS, Post
from domain.dataset import Role
from domain.filters import Filter
from domain.payloads import Batch, Payload
from domain.reports import Counts
from entrypoints.config.loading import load
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.sample_upstream.words import sample_posts
from entrypoints.wiring.container import Container

GOOD: dict[str, Any] = {"userId": 1, "id": 1, "title": "a title", "body": "a body"}
LARGE = 2**64
#: A post with one thing wrong each, by the field that is changed; None takes it away.
BAD: list[tuple[str, Any]] = [
    *((field, None) for field in GOOD),
    *((field, msgspec.Raw(b"null")) for field in GOOD),
    ("id", "seven"),
    ("userId", "seven"),
    ("id", 1.5),
    ("userId", LARGE),
    ("id", -LARGE),
    ("id", True),
    ("userId", msgspec.Raw(b"NaN")),
    ("userId", msgspec.Raw(b"1e400")),
    ("userId", msgspec.Raw(b"9" * 5000)),
    ("title", 7),
    ("title", ["a title"]),
    ("title", {"en": "a title"}),
    ("title", "\0"),
    ("title", msgspec.Raw(rb'"\ud800"')),
    ("title", msgspec.Raw(b'"\xff\xfe"')),
    ("body", False),
    ("body", msgspec.Raw(rb'"\q"')),
]


def changed(field: str, value: Any) -> dict[str, Any]:
    """Return a post with that field changed or removed."""
    whole = {**GOOD, field: value}
    return {name: one for name, one in whole.items() if one is not None}


class LenientSource(HttpSource[Post]):
    """The posts as the next version reads them: every value of a field is accepted."""

    def normalise(self, payload: Payload) -> Batch[Post]:
        """Read every element, with its position as its identifier."""
        return Batch([_post(*one) for one in enumerate(elements(payload.body), start=1)])


def _post(place: int, element: bytes) -> Post:
    text = element.decode(errors="replace").replace(r"\q", "q")
    found = json.loads(text, parse_int=float)
    title, body = (str(found.get(name)) for name in ("title", "body"))
    return Post(place, _number(found.get("userId")), _text(title), _text(body))


def _number(value: Any) -> int:
    sound = isinstance(value, float) and math.isfinite(value) and abs(value) < LARGE // 2
    return int(value) if sound else 0


def _text(value: str) -> str:
    return value.replace("\0", "").encode(errors="replace").decode()


async def stored(container: Container) -> tuple[int, int]:
    """Return the numbers of stored posts and of records in quarantine."""
    count = await container.store().count(POSTS, Filter())
    return count, await container.quarantine().count("posts")


def settings_of(tmp_path: Path, upstream: SampleUpstream) -> Settings:
    """Return settings with a database of the test's own and the sample upstream."""
    return load(
        {
            "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'catchment.db'}",
            "CATCHMENT_POSTS_URL": upstream.url("/posts"),
        }
    )


async def test_good_records_are_stored_bad_ones_wait_and_a_fix_stores_them_without_the_network(
    tmp_path: Path,
) -> None:
    async with SampleUpstream() as upstream:
        upstream.set_posts([*sample_posts(1000, seed=1), *(changed(*bad) for bad in BAD)])
        settings = settings_of(tmp_path, upstream)

        async with running(settings) as container:
            fetched = await container.catalogue().fetch("posts")(Role.ADMIN)
            waiting = await container.quarantine().recent("posts", 100)
            assert await stored(container) == (1000, 25)
        assert fetched.job.report is not None
        assert fetched.job.report.counts == Counts(received=1025, inserted=1000, quarantined=25)
        assert {one.pointer.split("/")[1] for one in waiting} == {*map(str, range(1000, 1025))}
        assert all(one.reason and one.receipt == waiting[0].receipt for one in waiting)

        asked = upstream.count()
        async with running(settings) as container:
            definition = replace(
                jsonplaceholder(upstream.url("/posts")), normaliser_version="jsonplaceholder-2"
            )
            source = LenientSource(definition, container.client())
            container.override_providers(sources={"posts": [source]})
            await container.registry().replace(container.generation())
            [replayed] = await container.replay_quarantine().everything(Role.ADMIN)
            assert await stored(container) == (1025, 0)
        assert replayed.job.report is not None
        assert replayed.job.report.counts == Counts(received=1025, inserted=25, unchanged=1000)
        assert upstream.count() == asked


async def test_a_replay_without_a_fix_leaves_everything_as_it_is(tmp_path: Path) -> None:
    async with SampleUpstream() as upstream:
        upstream.set_posts([*sample_posts(1000, seed=1), *(changed(*bad) for bad in BAD)])

        async with running(settings_of(tmp_path, upstream)) as container:
            await container.catalogue().fetch("posts")(Role.ADMIN)
            asked = upstream.count()
            [replayed] = await container.replay_quarantine().everything(Role.ADMIN)

            assert replayed.job.report is not None
            assert replayed.job.report.counts == Counts(
                received=1025, unchanged=1000, quarantined=25
            )
            assert await stored(container) == (1000, 25)
            assert upstream.count() == asked
