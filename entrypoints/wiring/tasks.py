"""What the container makes tasks of: whoever asks GitHub, and what users do with tasks."""

from collections.abc import Mapping
from typing import Any

from adapters.outbound.github import GitHubRepositories
from adapters.outbound.polite.client import PoliteClient
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.datasets import Store
from application.ports.ingest import Intakes
from application.ports.system import Clock, Random
from application.ports.tasks import KnownRepositories, Tasks
from application.tasks.enrich import EnrichTasks
from application.tasks.repository_lookup import RepositoryLookup
from application.tasks.tasks import (
    ChangeTask,
    CreateTask,
    DeleteTask,
    QueryTasks,
    TaskEnricher,
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


def repository_lookup_of(
    settings: Settings, client: PoliteClient, known: KnownRepositories, clock: Clock
) -> RepositoryLookup | None:
    """What looks at repositories, if there is anybody to ask."""
    if not settings.github_url:
        return None
    repositories = GitHubRepositories(client, settings.github_url, settings.github_token)
    return RepositoryLookup(repositories, known, clock, settings.cadence(TASKS.name).fresh_for)


def fetch_of_tasks(
    settings: Settings,
    repository_lookup: RepositoryLookup | None,
    tasks: Tasks,
    store: Store,
    intakes: Intakes,
    clock: Clock,
    job_backend: JobBackend,
    random: Random,
) -> Fetch[Task]:
    """What has tasks enriched."""
    limits = settings.cadence(TASKS.name), settings.fetch_deadline
    gathers = []
    if repository_lookup:
        gathers = [EnrichTasks(repository_lookup, tasks, store, intakes, clock)]
    return Fetch(TASKS, (), store, intakes, clock, job_backend, random, *limits, gathers)


def runnable_of(
    fetches: Mapping[str, Fetch[Any]], fetch_tasks: Fetch[Task]
) -> dict[str, Fetch[Any]]:
    """What jobs and schedules there are, by the name of the dataset."""
    return {**fetches, TASKS.name: fetch_tasks}


def tasks_of(
    tasks: Tasks,
    repository_lookup: RepositoryLookup | None,
    fetch: Fetch[Task],
    store: Store,
    clock: Clock,
    random: Random,
) -> TaskUseCases:
    """What users do with tasks."""
    query, enriching = QueryTasks(store), TaskEnricher(repository_lookup, fetch, clock)
    return TaskUseCases(
        query=query,
        create=CreateTask(tasks, enriching, clock, random),
        change=ChangeTask(tasks, query, enriching, clock),
        delete=DeleteTask(tasks),
    )
