"""The container: everything in it can be made, and anything in it can be replaced."""

from pathlib import Path

from adapters.memory.clock import SteerableClock
from adapters.memory.database import MemoryDatabase
from adapters.memory.jobs import MemoryJobHistory, MemoryJobs
from adapters.memory.schedules import MemorySchedules
from adapters.memory.source import MemorySource
from adapters.memory.store import MemoryStore
from adapters.queue.embedded import EmbeddedQueue
from application.desk import JobDesk
from domain.paging import PageRequest, Sort
from domain.politeness import Host, Rate
from domain.posts import POSTS, Post
from domain.tasks import TaskEdit
from entrypoints.container import DATASETS, Container
from entrypoints.service import running
from entrypoints.settings import Settings, load
from entrypoints.task_parts import GITHUB, rates_of


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
            assert (await catalogue.query(dataset.name).freshness()).seq == 0


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
        CATCHMENT_GITHUB_URL="http://10.0.0.6:8080/api/v3",
        CATCHMENT_ALLOWED_PRIVATE_HOSTS="10.0.0.9:81",
    )
    container = Container(settings=settings)

    assert container.private_hosts() == {"10.0.0.5:80", "10.0.0.6:8080", "10.0.0.9:81"}


async def test_tasks_are_run_and_scheduled_and_are_no_part_of_the_catalogue(tmp_path: Path) -> None:
    async with running(_settings(tmp_path)) as container:
        assert container.runnable()["tasks"].sources == ("github",)
        assert "tasks" not in [dataset.name for dataset in container.catalogue().datasets]
        assert container.fetch_tasks().run.hosts == {"github": "api.github.com"}


async def test_without_an_address_github_is_not_asked(tmp_path: Path) -> None:
    async with running(_settings(tmp_path, CATCHMENT_GITHUB_URL="")) as container:
        made = await container.tasks().create(TaskEdit(title="a title", repository="a/b"))

        assert made.enrichment == "unavailable"
        assert container.fetch_tasks().sources == ()
        assert await container.budget().state("api.github.com") == Host()


def test_github_gets_what_it_allows_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    limits = {"CATCHMENT_RATE_LIMITS": "api.github.com=10/1m,other.example=1/1s"}

    assert rates_of(_settings(tmp_path)) == {GITHUB: Rate(60, 3600.0)}
    assert rates_of(_settings(tmp_path, CATCHMENT_GITHUB_TOKEN="x")) == {GITHUB: Rate(5000, 3600.0)}
    assert rates_of(_settings(tmp_path, **limits)) == {
        GITHUB: Rate(10, 60.0),
        "other.example": Rate(1, 1.0),
    }
