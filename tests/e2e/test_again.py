"""`catchment replay` and `catchment rebuild`, started as a user starts them."""

import pytest

from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import Start, ended


@pytest.fixture
async def fetched(start: Start, upstream: SampleUpstream) -> int:
    """A database with 90 posts, and 10 more in quarantine; how often the upstream was asked."""
    process = await start(
        "fetch", "posts", CATCHMENT_POSTS_URL=upstream.fault_url("U28-removed-field")
    )
    assert (await ended(process))[0] == 0
    return upstream.count()


async def test_a_replay_reports_what_still_waits_and_sends_no_request(
    start: Start, upstream: SampleUpstream, fetched: int
) -> None:
    for arguments in (["replay"], ["replay", "posts"]):
        code, out, err = await ended(await start(*arguments))

        assert (code, err) == (0, "")
        assert out.startswith("posts: partial (job ")
        assert "  jsonplaceholder: 100 received, 90 unchanged, 10 quarantined\n" in out
        assert out.endswith(": Object missing required field `title`\n")
    assert upstream.count() == fetched


async def test_a_rebuild_has_a_dry_run_and_sends_no_request(
    start: Start, upstream: SampleUpstream, fetched: int
) -> None:
    dry_ran = await ended(await start("rebuild", "posts", "--dry-run"))
    rebuilt = await ended(await start("rebuild", "posts"))

    told = "  jsonplaceholder: 100 received, 90 unchanged, 10 quarantined\n"
    assert dry_ran == (0, "posts: would be partial; nothing was written\n" + told, "")
    assert rebuilt[0] == 0
    assert told in rebuilt[1]
    assert upstream.count() == fetched


async def test_when_nothing_waits_a_replay_says_so(start: Start) -> None:
    assert await ended(await start("replay")) == (0, "The quarantine is empty.\n", "")


async def test_a_replay_of_what_is_held_ends_with_an_error(
    start: Start, upstream: SampleUpstream
) -> None:
    await ended(
        await start("fetch", "posts", CATCHMENT_POSTS_URL=upstream.fault_url("U28-all-bad"))
    )

    code, out, _ = await ended(await start("replay", "posts"))

    assert code == 1
    assert "100 received, 100 quarantined; 100 of 100 records cannot be read" in out


@pytest.mark.parametrize("command", ["replay", "rebuild"])
async def test_a_dataset_that_is_not_there_is_one_clear_line(start: Start, command: str) -> None:
    code, out, err = await ended(await start(command, "nothing"))

    assert (code, out, err) == (
        1,
        "",
        "Error: no dataset has that name; the datasets are: posts, crypto_assets, data_points\n",
    )
