"""Filter by sort by page depth: the cost of a page, first or deep, in every order.

Every request has a cookie, so that each page is read and none is from the cache.
"""

from collections.abc import Iterator
from urllib.parse import quote

from tests.bench.bench import Bench, get
from tests.bench.figures import Figure
from tests.bench.load import UNCACHED, Load, rates
from tests.bench.processes import Running

LIMIT = 10
_SORTS = ("id", "-id", "user_id", "-_changed_at")
_FILTERS = ("user_id=5", "id__gte=500", "user_id__between=5,50")


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield requests per second of first and deep pages, in every indexed order, and filtered."""
    for engine in bench.engines:
        with bench.service(bench.loaded(engine)) as ours:
            bench.say(f"filter by sort by page depth on {engine}")
            loads = list(_loads(engine, ours, bench.scale.deep))
            rounds = max(1, bench.scale.rounds // 2)
            yield from rates(loads, rounds, bench.scale.seconds / 2, bench.folder)


def _loads(engine: str, ours: Running, deep: int) -> Iterator[Load]:
    for sort in _SORTS:
        asked = f"/data?sort={sort}&limit={LIMIT}"
        cursor = _cursor(ours, sort, deep)
        yield Load(f"depth/{engine}/sort={sort}, page 1", ours, asked, UNCACHED)
        yield Load(
            f"depth/{engine}/sort={sort}, page {deep}", ours, f"{asked}&cursor={cursor}", UNCACHED
        )
    for filter in _FILTERS:
        sort = "user_id" if filter.startswith("user_id__") else "id"
        asked = f"/data?{filter}&sort={sort}&limit={LIMIT}"
        yield Load(f"depth/{engine}/{filter}, sort={sort}", ours, asked, UNCACHED)


def _cursor(ours: Running, sort: str, deep: int) -> str:
    """Return the cursor of a deep page, by following cursors in steps of at most 500 records."""
    left = (deep - 1) * LIMIT
    cursor = ""
    while left:
        stride = min(left, 500)
        page = get(f"{ours.url}/data?sort={sort}&limit={stride}{cursor}")["page"]
        cursor = f"&cursor={quote(page['next_cursor'])}"
        left -= stride
    return cursor.removeprefix("&cursor=")
