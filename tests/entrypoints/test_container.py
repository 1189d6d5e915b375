"""The container: everything in it can be made, and anything in it can be replaced."""

from pathlib import Path

import pytest

from adapters.memory.clock import SteerableClock
from adapters.memory.database import MemoryDatabase
from adapters.memory.jobs import MemoryJobHistory, MemoryJobs
from adapters.memory.schedules import MemorySchedules
from adapters.memory.source import MemorySource
from adapters.memory.store import MemoryStore
from adapters.queue.embedded import EmbeddedQueue
from application.desk import JobDesk
from domain.dataset import Role
from domain.paging import PageRequest, Sort
from domain.posts import POSTS, Post
from entrypoints.container import DATASETS, Container
from entrypoints.service import running
from entrypoints.settings import Settings, load


def _settings(tmp_path: Path, **more: str) -> Settings:
    return load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}", **more})


async def test_every_provider_makes_what_it_promises(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        made = {name: provider() for name, provider in container.providers.items()}

    assert all(thing is not None for thing in made.values())


async def test_every_dataset_is_fetched_read_and_migrated(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        catalogue = container.catalogue()
        declared = [dataset.name for dataset in DATASETS]

        assert [dataset.name for dataset in catalogue.datasets] == declared
        for dataset in DATASETS:
            assert catalogue.fetch(dataset.name).dataset is dataset
            assert (await catalogue.query(dataset.name).freshness(Role.ADMIN)).seq == 0


async def test_any_adapter_can_be_replaced(tmp_path: Path) -> None:
    clock, memory = SteerableClock(), MemoryDatabase()
    source = MemorySource("sample", Post, clock, [Post(1, 1, "a title", "a body")])
    container = Container(settings=_settings(tmp_path))
    container.override_providers(
        clock=clock,
        store=MemoryStore(memory, clock),
        desk=JobDesk(
            jobs=MemoryJobs(memory, clock),
            history=MemoryJobHistory(memory, clock),
            queue=EmbeddedQueue(),
            schedules=MemorySchedules(memory, clock),
        ),
        sources={"posts": [source]},
    )

    fetched = await container.fetch_posts()()
    page = await container.query_posts()(PageRequest(sort=Sort.parse(POSTS, "id")))

    assert fetched.job.finished_at == clock.now()
    assert [row.title for row in page.rows] == ["a title"]
    assert not (tmp_path / "c.db").exists()
    await container.client().close()


async def test_an_empty_url_switches_a_source_off(tmp_path: Path) -> None:
    async with running(_settings(tmp_path, CATCHMENT_POSTS_URL="")) as container:
        assert container.fetch_posts().sources == ()


async def test_the_host_of_a_source_may_be_private_and_no_other_is(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        CATCHMENT_POSTS_URL="http://10.0.0.5/posts",
        CATCHMENT_COINPAPRIKA_URL="",
        CATCHMENT_TELEMETRY_URL="http://10.0.0.6:8080/point",
        CATCHMENT_ALLOWED_PRIVATE_HOSTS="10.0.0.9:81",
    )
    container = Container(settings=settings)

    assert container.private_hosts() == {"10.0.0.5:80", "10.0.0.6:8080", "10.0.0.9:81"}


@pytest.mark.parametrize("file", ["/data/assets.csv", "assets.csv", "file:///data/assets.csv"])
async def test_a_file_is_a_source_without_a_host(tmp_path: Path, file: str) -> None:
    settings = _settings(
        tmp_path, CATCHMENT_POSTS_URL="", CATCHMENT_COINPAPRIKA_URL="", CATCHMENT_ASSETS_CSV=file
    )
    async with running(settings) as container:
        assert container.private_hosts() == set()
        assert container.catalogue().fetch("crypto_assets").run.hosts == {"csv": "file"}


async def test_a_file_on_the_web_is_a_source_with_a_host(tmp_path: Path) -> None:
    url = "http://10.0.0.5:8080/assets.csv"
    async with running(_settings(tmp_path, CATCHMENT_ASSETS_CSV=url)) as container:
        assert "10.0.0.5:8080" in container.private_hosts()
        assert container.catalogue().fetch("crypto_assets").run.hosts == {
            "coinpaprika": "api.coinpaprika.com",
            "csv": "10.0.0.5:8080",
        }
