"""The HTTP application: all routes and middleware, put together."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from adapters.http.accounts.routes import ACCOUNT_ROUTES
from adapters.http.accounts.users import USER_ROUTES
from adapters.http.compat.telemetry import POINT_ROUTES
from adapters.http.datasets.catalogue import CATALOGUE_ROUTES
from adapters.http.datasets.endpoint import PREFIX, RecordsEndpoint
from adapters.http.datasets.response_cache import ResponseCache
from adapters.http.ingest.idempotency import OnceOnly
from adapters.http.ingest.quarantine import QUARANTINE_ROUTES
from adapters.http.ingest.routes import FETCH_ROUTES
from adapters.http.jobs.routes import JOB_ROUTES
from adapters.http.middleware.authentication import AuthenticationMiddleware
from adapters.http.middleware.cors import Cors
from adapters.http.middleware.options import option_routes
from adapters.http.middleware.request_context import RequestContextMiddleware
from adapters.http.openapi.document import document
from adapters.http.openapi.pages import PREFIXES, Documentation
from adapters.http.operations.health import HEALTH_ROUTES
from adapters.http.operations.index import INDEX_ROUTES
from adapters.http.operations.metrics import metrics_routes
from adapters.http.operations.prometheus import Metrics
from adapters.http.operations.stats import STATS_ROUTES
from adapters.http.protocol.access import RoleGuard, access_of, require_declared
from adapters.http.protocol.asgi import App, combine_headers
from adapters.http.protocol.bodies import bounded_request
from adapters.http.protocol.client_address import Origin, Proxies
from adapters.http.protocol.compression import compressing
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.hosts import Hosts
from adapters.http.protocol.query_params import QueryGuard
from adapters.http.protocol.rate_limits import Limiter
from adapters.http.protocol.routing import error_handler, provide
from adapters.http.protocol.waiting import WaitingRoom
from adapters.http.tasks.routes import TASK_ROUTES
from application.accounts.api_tokens import ApiTokenService
from application.accounts.authentication import Authenticate
from application.accounts.passwords import ChangePassword
from application.accounts.sessions import SessionUseCases
from application.accounts.sign_up import SignUp
from application.accounts.users import ManageUsers
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchOne
from application.ingest.quarantine import ListQuarantine, ReplayQuarantine
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.operations.gauges import ReadGauges
from application.operations.health import CheckHealth
from application.operations.stats import ShowStats
from application.ports.accounts import ClientLimits
from application.ports.datasets import Changes
from application.ports.jobs import Idempotency
from application.ports.operations import Events, Tracer
from application.ports.system import Clock, Random
from application.tasks.tasks import TaskUseCases
from domain.politeness import Rate


class AccountUseCases(NamedTuple):
    """The use cases about accounts."""

    authenticate: Authenticate
    sign_up: SignUp
    sessions: SessionUseCases
    change_password: ChangePassword
    api_tokens: ApiTokenService
    manage_users: ManageUsers


@dataclass(frozen=True, kw_only=True)
class UseCases:
    """The use cases that the routes call, and the ports that the HTTP side needs itself."""

    catalogue: Catalogue
    fetch_one: FetchOne
    find_job: FindJob
    list_jobs: ListJobs
    cancel_job: CancelJob
    list_quarantine: ListQuarantine
    replay_quarantine: ReplayQuarantine
    tasks: TaskUseCases
    accounts: AccountUseCases
    check_health: CheckHealth
    read_gauges: ReadGauges
    show_stats: ShowStats
    idempotency: Idempotency
    client_limits: ClientLimits
    changes: Changes
    clock: Clock
    random: Random
    events: Events
    metrics: Metrics
    tracer: Tracer


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the HTTP side.

    `database_id` is the database's random identifier, `client_limits` are rates by purpose; a body
    has to arrive within `body_s` seconds.
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
    metrics: str = "open"
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = ""


#: Every route except those under `/data`, which bypass the framework.
_ROUTES = (
    *INDEX_ROUTES,
    *CATALOGUE_ROUTES,
    *FETCH_ROUTES,
    *JOB_ROUTES,
    *QUARANTINE_ROUTES,
    *TASK_ROUTES,
    *ACCOUNT_ROUTES,
    *USER_ROUTES,
    *POINT_ROUTES,
    *HEALTH_ROUTES,
    *STATS_ROUTES,
)
#: Answers with tokens: a compressed length could reveal something about them.
_NEVER_COMPRESSED = ("/auth/",)


def create_app(use_cases: UseCases, settings: HttpSettings) -> RequestContextMiddleware:
    """Return the ASGI application; call its `drain` when the process is about to stop."""
    named, guard = _named(use_cases, settings), RoleGuard(settings.require_login)
    catalogue, default = use_cases.catalogue, settings.default_dataset
    litestar = _litestar((*_ROUTES, *metrics_routes(settings.metrics)), named, guard, settings)
    responses = _cache(use_cases, settings)
    signer, database_id = named["signer"], settings.database_id
    records = RecordsEndpoint(
        catalogue, use_cases.changes, responses, signer, guard, database_id, default
    )
    docs = Documentation(
        lambda: document(litestar, guard, catalogue.datasets, default), lambda: catalogue.generation
    )
    prefixes: dict[str, App] = {PREFIX: records, **dict.fromkeys(PREFIXES, docs)}
    return _front(use_cases, settings, litestar, prefixes, responses, named["draining"])


def create_metrics_app(use_cases: UseCases, settings: HttpSettings) -> RequestContextMiddleware:
    """Return the ASGI application of a process that serves nothing but metrics and health."""
    named, guard = _named(use_cases, settings), RoleGuard(settings.require_login)
    routes = (*HEALTH_ROUTES, *metrics_routes(settings.metrics))
    litestar = _litestar(routes, named, guard, settings, documented=False)
    responses = _cache(use_cases, settings)
    return _front(use_cases, settings, litestar, {}, responses, named["draining"])


def _named(use_cases: UseCases, settings: HttpSettings) -> dict[str, Any]:
    """Return the dependencies of the handlers."""
    return {
        **vars(use_cases),
        **use_cases.accounts._asdict(),
        "signer": CursorSigner(settings.secret),
        "limiter": Limiter(use_cases.client_limits, settings.client_limits, use_cases.events),
        "once_only": OnceOnly(use_cases.idempotency, use_cases.random),
        "waiting_room": WaitingRoom(),
        "default_dataset": settings.default_dataset,
        "version": settings.version,
        "draining": asyncio.Event(),
    }


def _cache(use_cases: UseCases, settings: HttpSettings) -> ResponseCache:
    return ResponseCache(
        use_cases.changes, use_cases.clock, use_cases.random, settings.cache_max_age_s
    )


def _front(
    use_cases: UseCases,
    settings: HttpSettings,
    litestar: Litestar,
    prefixes: Mapping[str, App],
    responses: ResponseCache,
    draining: asyncio.Event,
) -> RequestContextMiddleware:
    """Return the layers every request passes before any routing."""
    proxies = Proxies(settings.trusted_proxies) if settings.trusted_proxies else None
    cors = Cors(settings.cors_origins) if settings.cors_origins else None
    authentication = AuthenticationMiddleware(
        use_cases.accounts.authenticate,
        Hosts(settings.allowed_hosts) if settings.allowed_hosts else None,
        proxies,
        cors,
        [*_open_paths(), *PREFIXES],
    )
    rest = compressing(combine_headers(litestar), _NEVER_COMPRESSED)  # type: ignore[arg-type]
    return RequestContextMiddleware(
        prefixes,
        rest,
        authentication,
        cors,
        Origin(settings.root_path, proxies) if settings.root_path or proxies else None,
        responses,
        use_cases.random,
        draining,
        use_cases.events,
        use_cases.tracer,
    )


def _open_paths() -> Iterator[str]:
    for handler in _ROUTES:
        access = access_of(handler)
        if access is not None and access.always:
            yield from handler.paths


def _litestar(
    routes: Sequence[HTTPRouteHandler],
    named: Mapping[str, Any],
    guard: RoleGuard,
    settings: HttpSettings,
    documented: bool = True,
) -> Litestar:
    """Return the framework's application; `named` are the dependencies of its handlers."""
    openapi_config = OpenAPIConfig(
        title="Catchment",
        version=settings.version,
        description="Records gathered from the APIs you rely on, served as one filterable API.",
        use_handler_docstrings=True,
        # `Documentation` answers the requests for this path.
        path="/docs",
        render_plugins=[JsonRenderPlugin()],
    )
    litestar = Litestar(
        [*option_routes(routes), *routes],
        dependencies={name: provide(value) for name, value in named.items()},
        state=State({"limiter": named["limiter"]}),
        guards=[guard, QueryGuard()],
        request_class=bounded_request(settings.body_s),
        exception_handlers={Exception: error_handler(named["events"])},
        openapi_config=openapi_config if documented else None,
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    require_declared(litestar)
    return litestar
