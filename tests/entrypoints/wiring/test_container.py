"""The container: every provider can be built, and every provider can be overridden."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from adapters.memory.in_memory import InMemory
from adapters.memory.ingest import MemorySource
from adapters.memory.system import SteerableClock
from domain.builtin.posts import POSTS, Post
from domain.dataset import Role
from domain.errors import TooManyTasks
from domain.paging import PageRequest, Sort
from domain.politeness import Host, Rate
from domain.tasks import TaskEdit
from entrypoints.config.loading import load
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import pruned, running
from entrypoints.wiring.container import Container
from entrypoints.wiring.datasets import SHIPPED
from entrypoints.wiring.tasks import GITHUB


def _settings(tmp_path: Path, **more: str) -> Settings:
    return load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}", **more})


async def test_every_provider_makes_what_it_promises(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        made = {name: provider() for name, provider in container.providers.items()}

    assert all(thing is not None for thing in made.values())


async def test_every_dataset_is_fetched_read_and_migrated(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        catalogue = container.catalogue()
        declared = [line.dataset for line in SHIPPED]

        assert list(catalogue.datasets) == declared
        for dataset in declared:
            assert catalogue.fetch(dataset.name).dataset is dataset
            assert (await catalogue.query(dataset.name).for_role(Role.ADMIN).freshness()).seq == 0


async def test_any_adapter_can_be_replaced(tmp_path: Path) -> None:
    memory = InMemory()
    source = memory.source(Post, [Post(1, 1, "a title", "a body")])
    container = Container(settings=_settings(tmp_path))
    container.override_providers(
        clock=memory.clock,
        store=memory.store,
        intakes=memory.intakes,
        job_backend=memory.job_backend,
        sources={"posts": [source]},
    )

    fetched = await container.fetch_posts()()
    page = await container.query_posts()(PageRequest(sort=Sort.parse(POSTS, "id")))

    assert fetched.job.finished_at == memory.clock.now()
    assert [row.title for row in page.rows] == ["a title"]
    assert not (tmp_path / "c.db").exists()
    await container.client().close()


async def test_an_empty_url_switches_a_source_off(tmp_path: Path) -> None:
    async with running(_settings(tmp_path, CATCHMENT_POSTS_URL="")) as container:
        assert container.fetch_posts().sources == ()


async def test_there_are_as_many_tasks_as_the_setting_says(tmp_path: Path) -> None:
    settings = _settings(tmp_path, CATCHMENT_MAX_TASKS="1", CATCHMENT_GITHUB_URL="")
    async with running(settings) as container:
        create = container.tasks().create
        await create(TaskEdit(title="a title", repository="a/b"))
        with pytest.raises(TooManyTasks):
            await create(TaskEdit(title="a title", repository="a/b"))


async def test_what_is_called_stale_is_what_the_setting_of_the_dataset_says(
    tmp_path: Path,
) -> None:
    clock = SteerableClock()
    settings = _settings(tmp_path, CATCHMENT_STALE_AFTER="1s,posts=5m")
    source = MemorySource("sample", Post, clock, [Post(1, 1, "a title", "a body")])
    seen = []
    async with running(settings, clock=clock, sources={"posts": [source]}) as container:
        await container.fetch_posts()()
        transport = httpx.ASGITransport(app=container.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for _ in range(2):
                clock.advance(timedelta(minutes=3))
                page, record = await client.get("/data"), await client.get("/data/posts/1")
                datasets, health = await client.get("/datasets"), await client.get("/health")
                seen.append(
                    [
                        page.json()["stale"],
                        record.json()["stale"],
                        datasets.json()["datasets"][0]["stale"],
                        health.json()["sources"][0]["stale"],
                    ]
                )

    assert seen == [[False] * 4, [True] * 4]


async def test_what_is_old_is_removed_and_said_in_plain_words(tmp_path: Path) -> None:
    settings = _settings(tmp_path, CATCHMENT_KEEP_RAW="0.001s", CATCHMENT_KEEP_JOBS="0.001s")
    first = await pruned(settings)
    clock = SteerableClock()
    for number in range(3):
        clock.advance(1)
        source = MemorySource("sample", Post, clock, [Post(number, 1, "a title", "a body")])
        async with running(settings, clock=clock, sources={"posts": [source]}) as container:
            await container.fetch_posts()(Role.ADMIN, force=True)

    assert first == ["Nothing has expired."]
    assert await pruned(settings) == ["payloads: 2 removed", "jobs: 2 removed"]
    assert await pruned(settings) == first


async def test_the_host_of_a_source_may_be_private_and_no_other_is(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        CATCHMENT_POSTS_URL="http://10.0.0.5/posts",
        CATCHMENT_COINPAPRIKA_URL="",
        CATCHMENT_TELEMETRY_URL="http://10.0.0.6:8080/point",
        CATCHMENT_GITHUB_URL="http://10.0.0.8:8080/api/v3",
        CATCHMENT_ALLOWED_PRIVATE_HOSTS="10.0.0.9:81",
        CATCHMENT_ALERT_URL="https://10.0.0.7/hook",
    )
    container = Container(settings=settings)

    assert container.registry().current.private_hosts == {
        "10.0.0.5:80",
        "10.0.0.6:8080",
        "10.0.0.9:81",
        "10.0.0.7:443",
        "10.0.0.8:8080",
    }


async def test_a_name_in_a_url_may_not_be_private_unless_it_is_listed(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        CATCHMENT_POSTS_URL="http://upstream:8900/posts",
        CATCHMENT_COINPAPRIKA_URL="http://localhost:8900/tickers",
        CATCHMENT_TELEMETRY_URL="http://[::1]:8080/point",
        CATCHMENT_GITHUB_URL="https://github.internal/api/v3",
        CATCHMENT_ALLOWED_PRIVATE_HOSTS="listed:81",
        CATCHMENT_ALERT_URL="https://alerts.internal/hook",
    )
    container = Container(settings=settings)

    private = container.registry().current.private_hosts
    assert {"localhost:8900", "listed:81"} < private
    assert not {"upstream:8900", "github.internal:443", "alerts.internal:443"} & private
    assert len(private) == 3


@pytest.mark.parametrize("file", ["/data/assets.csv", "assets.csv", "file:///data/assets.csv"])
async def test_a_file_is_a_source_without_a_host(tmp_path: Path, file: str) -> None:
    settings = _settings(
        tmp_path,
        CATCHMENT_POSTS_URL="",
        CATCHMENT_COINPAPRIKA_URL="",
        CATCHMENT_GITHUB_URL="",
        CATCHMENT_ASSETS_CSV=file,
    )
    async with running(settings) as container:
        assert container.registry().current.private_hosts == set()
        assert container.catalogue().fetch("crypto_assets").hosts == {"csv": "file"}


async def test_a_file_on_the_web_is_a_source_with_a_host(tmp_path: Path) -> None:
    url = "http://10.0.0.5:8080/assets.csv"
    async with running(_settings(tmp_path, CATCHMENT_ASSETS_CSV=url)) as container:
        assert "10.0.0.5:8080" in container.registry().private_hosts
        assert container.catalogue().fetch("crypto_assets").hosts == {
            "coinpaprika": "api.coinpaprika.com",
            "csv": "10.0.0.5:8080",
        }


async def test_tasks_are_run_and_scheduled_and_are_no_part_of_the_catalogue(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        assert container.registry().current["tasks"].fetch.sources == ("github",)
        assert "tasks" not in [dataset.name for dataset in container.catalogue().datasets]
        assert container.fetch_tasks().hosts == {"github": "api.github.com"}


async def test_without_an_address_github_is_not_asked(tmp_path: Path) -> None:
    async with running(_settings(tmp_path, CATCHMENT_GITHUB_URL="")) as container:
        made = await container.tasks().create(TaskEdit(title="a title", repository="a/b"))

        assert made.enrichment == "unavailable"
        assert container.fetch_tasks().sources == ()
        assert await container.budget().state("api.github.com") == Host()


def _rates(settings: Settings) -> dict[str, Rate]:
    return dict(Container(settings=settings).registry().rates)


def test_github_gets_what_it_allows_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    limits = {"CATCHMENT_RATE_LIMITS": "api.github.com=10/1m,other.example=1/1s"}

    assert _rates(_settings(tmp_path)) == {GITHUB: Rate(60, 3600.0)}
    assert _rates(_settings(tmp_path, CATCHMENT_GITHUB_TOKEN="x")) == {GITHUB: Rate(5000, 3600.0)}
    assert _rates(_settings(tmp_path, **limits)) == {
        GITHUB: Rate(10, 60.0),
        "other.example": Rate(1, 1.0),
    }
