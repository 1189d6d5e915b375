"""What the container makes tasks of: whoever asks GitHub, and what users do with tasks."""

from collections.abc import Mapping
from typing import Any

from adapters.outbound.github import GitHubRepositories
from adapters.outbound.polite.client import PoliteClient
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobDesk
from application.ports.datasets import Store
from application.ports.system import Clock, Random
from application.ports.tasks import KnownRepositories, Tasks
from application.tasks.enrich import EnrichTasks
from application.tasks.repository_lookup import LookAt
from application.tasks.tasks import (
    ChangeTask,
    CreateTask,
    DeleteTask,
    Enriching,
    QueryTasks,
    TaskUseCases,
)
from domain.politeness import Rate
from domain.tasks import TASKS, Task
from entrypoints.config.settings import Settings

GITHUB = "api.github.com"
#: What GitHub lets somebody unknown, and somebody with a token, ask in an hour.
UNKNOWN, KNOWN = Rate(60, 3600.0), Rate(5000, 3600.0)


def rates_of(settings: Settings) -> dict[str, Rate]:
    """What hosts get: GitHub what it allows, unless a setting says otherwise."""
    return {GITHUB: KNOWN if settings.github_token else UNKNOWN, **settings.rate_limits}


def looking_at(
    settings: Settings, client: PoliteClient, known: KnownRepositories, clock: Clock
) -> LookAt | None:
    """What looks at repositories, if there is anybody to ask."""
    if not settings.github_url:
        return None
    repositories = GitHubRepositories(client, settings.github_url, settings.github_token)
    return LookAt(repositories, known, clock, settings.cadence(TASKS.name).fresh_for)


def fetch_of_tasks(
    settings: Settings,
    look_at: LookAt | None,
    tasks: Tasks,
    store: Store,
    clock: Clock,
    desk: JobDesk,
    random: Random,
) -> Fetch[Task]:
    """What has tasks enriched."""
    limits = settings.cadence(TASKS.name), settings.fetch_deadline
    gathers = [EnrichTasks(look_at, tasks, store, clock)] if look_at else []
    return Fetch(TASKS, (), store, clock, desk, random, *limits, gathers)


def runnable_of(
    fetches: Mapping[str, Fetch[Any]], fetch_tasks: Fetch[Task]
) -> dict[str, Fetch[Any]]:
    """What jobs and schedules there are, by the name of the dataset."""
    return {**fetches, TASKS.name: fetch_tasks}


def tasks_of(
    tasks: Tasks,
    look_at: LookAt | None,
    fetch: Fetch[Task],
    store: Store,
    clock: Clock,
    random: Random,
) -> TaskUseCases:
    """What users do with tasks."""
    query, enriching = QueryTasks(store), Enriching(look_at, fetch, clock)
    return TaskUseCases(
        query=query,
        create=CreateTask(tasks, enriching, clock, random),
        change=ChangeTask(tasks, query, enriching, clock),
        delete=DeleteTask(tasks),
    )
