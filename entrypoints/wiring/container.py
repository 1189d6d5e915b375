"""The container: builds adapters and use cases from the settings; all wiring is here.

Every provider can be overridden in a test: `container.clock.override(SteerableClock())`.
"""

from dependency_injector import containers, providers

from adapters.http.app import AccountUseCases, UseCases, create_app, create_metrics_app
from adapters.http.operations.prometheus import Metrics
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.webhook import HttpNotifier
from adapters.sql.accounts.accounts import SqlAccounts
from adapters.sql.accounts.api_tokens import SqlApiTokens
from adapters.sql.accounts.sessions import SqlSessions
from adapters.sql.accounts.throttling import SqlClientLimits, SqlLoginAttempts
from adapters.sql.datasets.store import SqlStore
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.ingest.payloads import SqlReceipts
from adapters.sql.ingest.quarantine import SqlQuarantine
from adapters.sql.jobs.idempotency import SqlIdempotency
from adapters.sql.jobs.jobs import SqlJobHistory, SqlJobs, SqlSourceHistory
from adapters.sql.jobs.schedules import SqlSchedules
from adapters.sql.operations.alerts import SqlAlerts
from adapters.sql.operations.restoration import SqlRestoration
from adapters.sql.operations.retention import SqlRetention
from adapters.sql.politeness.budget import SqlBudget
from adapters.sql.schema.migrate import SqlTables
from adapters.sql.tasks.repositories import SqlKnownRepositories
from adapters.sql.tasks.tasks import SqlTasks
from adapters.system.machine import SystemClock, SystemRandom
from adapters.system.passwords import ArgonPasswordHasher
from adapters.system.secrets import EnvironmentSecrets
from adapters.system.tokens import JwtTokens
from application.accounts.api_tokens import ApiTokenService, RevokeTokens
from application.accounts.authentication import Authenticate, TokenUse
from application.accounts.passwords import ChangePassword, ConfirmPassword
from application.accounts.sessions import EndSessions
from application.accounts.sign_up import AddUser, EnsureAdmin, SignUp
from application.accounts.users import ManageUsers
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchOne
from application.datasets.registry import Registry
from application.ingest.job_backend import JobBackend
from application.ingest.quarantine import ListQuarantine, RebuildDataset, ReplayQuarantine
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.jobs.scheduler import Scheduler
from application.jobs.worker import RunJob, Worker
from application.operations.alerts import AlertMonitor
from application.operations.gauges import ReadGauges
from application.operations.health import CheckHealth
from application.operations.prune import Prune, PruneLoop
from application.operations.stats import ShowStats
from application.ports.datasets import Tables
from domain.builtin.posts import POSTS
from domain.politeness import Rate
from entrypoints.config.secret_key import key_id_of, secret_of
from entrypoints.config.settings import Settings
from entrypoints.version import VERSION
from entrypoints.wiring.datasets import declarations_of, generation_of, sources_of
from entrypoints.wiring.http import http_settings_of, sessions_of
from entrypoints.wiring.operations import events_of, tracer_of
from entrypoints.wiring.servers import database_of, queue_of
from entrypoints.wiring.tasks import (
    fetch_of_tasks,
    registered_tasks_of,
    repository_lookup_of,
    tasks_of,
)

#: The rate limit of a host that no setting names.
DEFAULT_RATE = Rate(10, 1.0)


def registry_of(container: containers.Container, tables: Tables) -> Registry:
    """Return the registry; it takes its first generation from the container at first use."""
    # The generation needs the client, and the client reads its limits from the registry.
    return Registry(tables, container.generation)


class Container(containers.DeclarativeContainer):
    """The providers of all objects of the program; it needs `settings`."""

    __self__ = providers.Self()
    settings = providers.Dependency(instance_of=Settings)
    #: The database's random name, known once it is migrated.
    database_id = providers.Dependency(instance_of=str)

    # ------------------------------------------------------------ driven adapters

    clock = providers.Singleton(SystemClock)
    random = providers.Singleton(SystemRandom)
    secrets = providers.Singleton(EnvironmentSecrets)
    metrics = providers.Singleton(Metrics, VERSION)
    events = providers.Singleton(events_of, settings, metrics.provider)
    tracer = providers.Singleton(tracer_of, settings)
    database = providers.Singleton(database_of, settings)
    queue = providers.Singleton(queue_of, settings, events)
    store = providers.Singleton(SqlStore, database)
    intakes = providers.Singleton(SqlIntakes, database, clock)
    job_backend = providers.Singleton(
        JobBackend,
        jobs=providers.Singleton(SqlJobs, database, clock),
        history=providers.Singleton(SqlJobHistory, database, clock),
        queue=queue,
        schedules=providers.Singleton(SqlSchedules, database, clock),
        events=events,
        tracer=tracer,
    )
    idempotency = providers.Singleton(SqlIdempotency, database, clock)
    quarantine = providers.Singleton(SqlQuarantine, database)
    registry = providers.Singleton(registry_of, __self__, providers.Singleton(SqlTables, database))
    budget = providers.Singleton(SqlBudget, database, clock, registry.provided.rates, DEFAULT_RATE)
    accounts = providers.Singleton(SqlAccounts, database)
    key_id = providers.Singleton(key_id_of, settings)
    sessions = providers.Singleton(SqlSessions, database, clock, key_id)
    api_tokens = providers.Singleton(SqlApiTokens, database, key_id)
    client_limits = providers.Singleton(SqlClientLimits, database, clock)
    login_attempts = providers.Singleton(SqlLoginAttempts, database, clock)
    hasher = providers.Singleton(ArgonPasswordHasher)
    restoration = providers.Singleton(SqlRestoration, database, clock, key_id)
    tokens = providers.Singleton(JwtTokens, providers.Callable(secret_of, settings), clock, random)
    client = providers.Singleton(
        PoliteClient,
        budget,
        clock,
        random,
        events,
        tracer,
        allowed_private=registry.provided.private_hosts,
        follow_hosts=settings.provided.follow_hosts,
        user_agent=f"catchment/{VERSION}",
        max_wire=settings.provided.max_body[1],
    )

    written_tasks = providers.Singleton(SqlTasks, database, clock)
    known_repositories = providers.Singleton(SqlKnownRepositories, database)

    # ------------------------------------------------------------ use cases

    declarations = providers.Singleton(declarations_of, settings)
    sources = providers.Singleton(sources_of, settings, declarations, client, secrets)
    repository_lookup = providers.Singleton(
        repository_lookup_of, settings, client, known_repositories, clock
    )
    fetch_tasks = providers.Singleton(
        fetch_of_tasks,
        settings,
        repository_lookup,
        written_tasks,
        store,
        intakes,
        clock,
        job_backend,
        random,
    )
    tasks = providers.Singleton(
        tasks_of, settings, written_tasks, repository_lookup, fetch_tasks, store, clock, random
    )
    registered_tasks = providers.Singleton(registered_tasks_of, settings, fetch_tasks, store)
    #: Built at each call; the registry holds the current one.
    generation = providers.Factory(
        generation_of,
        settings,
        declarations,
        sources,
        registered_tasks,
        store,
        intakes,
        clock,
        job_backend,
        random,
    )
    fetch_posts = registry.provided.current[POSTS.name].fetch
    query_posts = registry.provided.current[POSTS.name].query
    catalogue = providers.Singleton(Catalogue, registry, quarantine, clock)
    add_user = providers.Singleton(AddUser, accounts, hasher, clock, events)
    sign_up = providers.Singleton(SignUp, add_user, settings.provided.signup_rules)
    ensure_admin = providers.Singleton(EnsureAdmin, accounts, add_user)
    confirm_password = providers.Singleton(
        ConfirmPassword, accounts, login_attempts, hasher, events
    )
    change_password = providers.Singleton(
        ChangePassword, accounts, sessions, api_tokens, hasher, confirm_password, events
    )
    revoke_tokens = providers.Singleton(RevokeTokens, api_tokens, events)
    api_token_service = providers.Singleton(
        ApiTokenService,
        accounts,
        sessions,
        api_tokens,
        confirm_password,
        revoke_tokens,
        clock,
        random,
        events,
    )
    end_sessions = providers.Singleton(EndSessions, sessions, sessions, events)
    manage_users = providers.Singleton(
        ManageUsers,
        accounts,
        add_user,
        sessions,
        api_tokens,
        end_sessions,
        revoke_tokens,
        events,
    )
    session_use_cases = providers.Singleton(
        sessions_of,
        settings,
        accounts,
        sessions,
        end_sessions,
        login_attempts,
        hasher,
        tokens,
        clock,
        random,
        events,
    )
    token_use = providers.Singleton(TokenUse, api_tokens, clock)
    authenticate = providers.Singleton(
        Authenticate, accounts, sessions, api_tokens, tokens, database, clock, token_use
    )
    account_use_cases = providers.Singleton(
        AccountUseCases,
        authenticate=authenticate,
        sign_up=sign_up,
        sessions=session_use_cases,
        change_password=change_password,
        api_tokens=api_token_service,
        manage_users=manage_users,
    )
    find_job = providers.Singleton(FindJob, job_backend, registry)
    list_jobs = providers.Singleton(ListJobs, job_backend, registry)
    cancel_job = providers.Singleton(CancelJob, job_backend)
    receipts = providers.Singleton(SqlReceipts, database)
    fetch_one = providers.Singleton(FetchOne, catalogue, receipts)
    list_quarantine = providers.Singleton(ListQuarantine, quarantine, registry.provided.fetches)
    replay_quarantine = providers.Singleton(ReplayQuarantine, quarantine, registry.provided.fetches)
    rebuild_dataset = providers.Singleton(RebuildDataset, registry.provided.fetches)
    check_health = providers.Singleton(CheckHealth, registry, database, queue, budget, clock)
    read_gauges = providers.Singleton(
        ReadGauges,
        registry,
        check_health,
        database,
        queue,
        database,
        job_backend.provided.history,
        quarantine,
        budget,
        clock,
    )
    show_stats = providers.Singleton(
        ShowStats, catalogue, providers.Singleton(SqlSourceHistory, database)
    )
    run_job = providers.Singleton(RunJob, registry, job_backend)
    worker = providers.Singleton(Worker, run_job, job_backend, clock)
    scheduler = providers.Singleton(
        Scheduler,
        registry,
        job_backend,
        clock,
        random,
        settings.provided.fetch_on_start,
    )

    retention = providers.Singleton(SqlRetention, database)
    prune = providers.Singleton(Prune, retention, clock, settings.provided.retention_policy)
    prune_loop = providers.Singleton(PruneLoop, prune, clock, random, events)
    alert_monitor = providers.Singleton(
        AlertMonitor,
        registry,
        budget,
        providers.Singleton(SqlAlerts, database, clock),
        providers.Singleton(HttpNotifier, client, settings.provided.alert_url, clock),
        clock,
        events,
    )

    # ------------------------------------------------------------ driving adapters

    use_cases = providers.Singleton(
        UseCases,
        catalogue=catalogue,
        fetch_one=fetch_one,
        find_job=find_job,
        list_jobs=list_jobs,
        cancel_job=cancel_job,
        list_quarantine=list_quarantine,
        replay_quarantine=replay_quarantine,
        tasks=tasks,
        accounts=account_use_cases,
        check_health=check_health,
        show_stats=show_stats,
        idempotency=idempotency,
        client_limits=client_limits,
        changes=database,
        clock=clock,
        random=random,
        events=events,
        read_gauges=read_gauges,
        metrics=metrics,
        tracer=tracer,
    )
    http_settings = providers.Callable(http_settings_of, settings, database_id)
    app = providers.Singleton(create_app, use_cases, http_settings)
    metrics_app = providers.Singleton(create_metrics_app, use_cases, http_settings)
