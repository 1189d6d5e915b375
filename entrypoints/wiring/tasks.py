"""Parts of the container for tasks: the lookup of repositories, and the use cases."""

from adapters.outbound.github import GitHubRepositories
from adapters.outbound.polite.client import PoliteClient
from application.datasets.registry import RegisteredDataset
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
from entrypoints.wiring.datasets import private_hosts_of

GITHUB = "api.github.com"
#: GitHub's rate limits without and with a token.
ANONYMOUS, AUTHENTICATED = Rate(60, 3600.0), Rate(5000, 3600.0)


def repository_lookup_of(
    settings: Settings, client: PoliteClient, known: KnownRepositories, clock: Clock
) -> RepositoryLookup | None:
    """Return the lookup of repositories, None if it is switched off."""
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
    """Return the use case that enriches tasks."""
    limits = settings.cadence(TASKS.name), settings.fetch_deadline
    steps = []
    if repository_lookup:
        steps = [EnrichTasks(repository_lookup, tasks, store, intakes, clock)]
    return Fetch(TASKS, (), store, intakes, clock, job_backend, random, *limits, steps)


def registered_tasks_of(
    settings: Settings, fetch: Fetch[Task], store: Store
) -> RegisteredDataset[Task]:
    """Return the tasks for the registry: unlisted, because they come from users."""
    return RegisteredDataset(
        fetch=fetch,
        query=QueryTasks(store),
        listed=False,
        private_hosts=private_hosts_of(settings.github_url),
        rates={GITHUB: AUTHENTICATED if settings.github_token else ANONYMOUS},
    )


def tasks_of(
    settings: Settings,
    tasks: Tasks,
    repository_lookup: RepositoryLookup | None,
    fetch: Fetch[Task],
    store: Store,
    clock: Clock,
    random: Random,
) -> TaskUseCases:
    """Return the use cases of tasks."""
    query, enricher = QueryTasks(store), TaskEnricher(repository_lookup, fetch, clock)
    return TaskUseCases(
        query=query,
        create=CreateTask(tasks, enricher, clock, random, settings.max_tasks),
        change=ChangeTask(tasks, query, enricher, clock),
        delete=DeleteTask(tasks),
    )
