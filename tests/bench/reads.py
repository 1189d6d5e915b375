"""Reads: pages, repeated or not, beside the bare limit and the peers."""

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.request import urlopen

from tests.bench.bench import HERE, Bench
from tests.bench.figures import Figure
from tests.bench.load import Load, rates
from tests.bench.peers import reading
from tests.bench.processes import Running, python, running


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield requests per second, each for a page of ten posts of about 250 bytes."""
    users = bench.scale.posts // 10
    with ExitStack() as stack:
        bare = stack.enter_context(running(python(HERE / "bare.py", "PORT"), {}, bench.folder))
        loads = [Load("reads/bare", bare, "/")]
        for engine in bench.engines:
            url = bench.loaded(engine)
            ours = stack.enter_context(bench.service(url))
            loads += _ours(engine, ours, users)
            for peer in reading(bench, engine, url, stack):
                loads.append(
                    Load(f"reads/{engine}/{peer.name}", peer.server, peer.path, varied=peer.users)
                )
        bench.say(f"{len(loads)} kinds of reads, {bench.scale.rounds} rounds")
        yield from rates(loads, bench.scale.rounds, bench.scale.seconds, bench.folder)


def _ours(engine: str, ours: Running, users: int) -> list[Load]:
    page = "/data?user_id=5"
    etag = urlopen(ours.url + page).headers["ETag"]  # noqa: S310 - our own address
    return [
        Load(f"reads/{engine}/repeated page", ours, page),
        Load(f"reads/{engine}/not modified", ours, page, (f"If-None-Match: {etag}",)),
        Load(f"reads/{engine}/first page", ours, "/data?user_id=", varied=users),
        Load(f"reads/{engine}/one record", ours, "/data/posts/", varied=users * 10),
    ]
