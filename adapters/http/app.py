"""The HTTP application: everything a client can reach, put together."""

import asyncio
from typing import NamedTuple

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from adapters.http.accounts.routes import account_routes, token_routes
from adapters.http.compat.telemetry import point_routes
from adapters.http.datasets.catalogue import overview_routes
from adapters.http.datasets.endpoint import PREFIX, RecordsEndpoint
from adapters.http.datasets.response_cache import ResponseCache
from adapters.http.ingest.idempotency import OnceOnly
from adapters.http.ingest.quarantine import quarantine_routes
from adapters.http.ingest.routes import fetch_routes
from adapters.http.jobs.routes import job_routes
from adapters.http.middleware.authentication import AuthenticationMiddleware
from adapters.http.middleware.cors import Cors
from adapters.http.middleware.options import option_routes
from adapters.http.middleware.request_context import RequestContextMiddleware
from adapters.http.openapi.document import document
from adapters.http.openapi.pages import PREFIXES, Documentation
from adapters.http.operations.stats import stats_routes
from adapters.http.protocol.access import RoleGuard, require_declared
from adapters.http.protocol.asgi import App
from adapters.http.protocol.client_address import Proxies
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.rate_limits import Limiter
from adapters.http.protocol.routing import error_handler
from adapters.http.tasks.routes import task_routes
from application.accounts.api_tokens import ApiTokenService
from application.accounts.authentication import Authenticate
from application.accounts.sessions import SessionUseCases
from application.accounts.sign_up import ChangePassword, SignUp
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchOne
from application.ingest.quarantine import ListQuarantine, ReplayQuarantine
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.operations.health import CheckHealth
from application.operations.stats import ShowStats
from application.ports.accounts import ClientLimits
from application.ports.datasets import Changes
from application.ports.jobs import Idempotency
from application.ports.operations import Events
from application.ports.system import Clock, Random
from application.tasks.tasks import TaskUseCases
from domain.politeness import Rate


class AccountUseCases(NamedTuple):
    """The use cases of accounts."""

    authenticate: Authenticate
    sign_up: SignUp
    sessions: SessionUseCases
    change_password: ChangePassword
    api_tokens: ApiTokenService


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the HTTP side can be told.

    `database_id` is the database's random name, `client_limits` is how often one client may do
    what; a caller may take `body_s` seconds to send a body.
    """

    secret: bytes
    database_id: str
    client_limits: dict[str, Rate]
    version: str = "0"
    default_dataset: str = "posts"
    max_body_bytes: int = 1024 * 1024
    body_s: float = 10.0
    cache_max_age_s: int = 0
    require_login: bool = False
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()


def create_app(
    catalogue: Catalogue,
    find_job: FindJob,
    list_jobs: ListJobs,
    cancel_job: CancelJob,
    populate: FetchOne,
    people: AccountUseCases,
    limits: ClientLimits,
    tasks: TaskUseCases,
    list_quarantine: ListQuarantine,
    replay: ReplayQuarantine,
    idempotency: Idempotency,
    health: CheckHealth,
    show_stats: ShowStats,
    changes: Changes,
    clock: Clock,
    random: Random,
    events: Events,
    settings: HttpSettings,
) -> RequestContextMiddleware:
    """The ASGI application over these use cases; its `drain` says that the process is to stop."""
    default = settings.default_dataset
    signer = CursorSigner(settings.secret)
    once_only = OnceOnly(idempotency, random)
    limiter = Limiter(limits, settings.client_limits)
    gate = RoleGuard(settings.require_login)
    draining = asyncio.Event()
    routes = [
        *fetch_routes(catalogue, once_only, limiter, clock, default, settings.body_s),
        *job_routes(catalogue, find_job, list_jobs, cancel_job, clock, signer),
        *task_routes(tasks, limiter, signer, settings.body_s),
        *quarantine_routes(catalogue, list_quarantine, replay, clock, signer, settings.body_s),
        *overview_routes(catalogue, health, draining.is_set, settings.version, default),
        *point_routes(catalogue, populate, limiter, clock),
        *account_routes(*people[1:4], limiter, settings.body_s),
        *token_routes(people.api_tokens, settings.body_s),
        *stats_routes(show_stats),
    ]
    litestar = Litestar(
        [*option_routes(routes), *routes],
        guards=[gate],
        exception_handlers={Exception: error_handler(events)},
        openapi_config=OpenAPIConfig(
            title="Catchment",
            version=settings.version,
            description="Records gathered from the APIs you rely on, served as one filterable API.",
            # The front serves the documentation itself and lets nothing through to this path.
            path="/docs",
            render_plugins=[JsonRenderPlugin()],
        ),
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    require_declared(litestar)
    responses = ResponseCache(changes, clock, random, settings.cache_max_age_s)
    reads = RecordsEndpoint(
        catalogue, changes, responses, signer, gate, settings.database_id, default
    )
    docs = Documentation(lambda: document(litestar, gate, catalogue.datasets, default))
    prefixes: dict[str, App] = {PREFIX: reads, **dict.fromkeys(PREFIXES, docs)}
    proxies = Proxies(settings.trusted_proxies) if settings.trusted_proxies else None
    cors = Cors(settings.cors_origins) if settings.cors_origins else None
    door = AuthenticationMiddleware(people.authenticate, settings.allowed_hosts, proxies, cors)
    rest: App = litestar  # type: ignore[assignment]
    return RequestContextMiddleware(prefixes, rest, door, cors, responses, random, draining, events)
