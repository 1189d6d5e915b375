"""The HTTP application: everything a client can reach, put together."""

import asyncio

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from adapters.http.answers import tell
from adapters.http.asgi import App
from adapters.http.cursors import CursorSigner
from adapters.http.documentation import PREFIXES, Documentation
from adapters.http.fetches import fetch_routes
from adapters.http.front import Front
from adapters.http.idempotency import OnceOnly
from adapters.http.jobs import job_routes
from adapters.http.openapi import document
from adapters.http.overviews import overview_routes
from adapters.http.quarantine import quarantine_routes
from adapters.http.reads import PREFIX, Reads
from adapters.http.validators import Validators
from application.catalogue import Catalogue
from application.health import CheckHealth
from application.jobs import CancelJob, FindJob, ListJobs
from application.ports.clock import Clock, Random
from application.ports.idempotency import Idempotency
from application.ports.store import Changes
from application.quarantine import ListQuarantine, ReplayQuarantine


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the HTTP side can be told.

    `epoch` is the database's random name; a caller may take `body_s` seconds to send a body.
    """

    secret: bytes
    epoch: str
    version: str = "0"
    default_dataset: str = "posts"
    max_body_bytes: int = 1024 * 1024
    body_s: float = 10.0
    cache_max_age_s: int = 0


def create_app(
    catalogue: Catalogue,
    find_job: FindJob,
    list_jobs: ListJobs,
    cancel_job: CancelJob,
    list_quarantine: ListQuarantine,
    replay: ReplayQuarantine,
    idempotency: Idempotency,
    health: CheckHealth,
    changes: Changes,
    clock: Clock,
    random: Random,
    settings: HttpSettings,
) -> Front:
    """The ASGI application over these use cases; its `drain` says that the process is to stop."""
    default = settings.default_dataset
    signer = CursorSigner(settings.secret)
    once_only = OnceOnly(idempotency, random)
    draining = asyncio.Event()
    litestar = Litestar(
        [
            *fetch_routes(catalogue, once_only, clock, default, settings.body_s),
            *job_routes(catalogue, find_job, list_jobs, cancel_job, clock, signer),
            *quarantine_routes(catalogue, list_quarantine, replay, clock, signer, settings.body_s),
            *overview_routes(catalogue, health, draining.is_set, settings.version, default),
        ],
        exception_handlers={Exception: tell},
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
    reads = Reads(
        catalogue,
        changes,
        signer,
        Validators(settings.epoch, settings.cache_max_age_s),
        clock,
        default,
    )
    docs = Documentation(lambda: document(litestar, catalogue.datasets, default))
    prefixes: dict[str, App] = {PREFIX: reads, **dict.fromkeys(PREFIXES, docs)}
    return Front(prefixes, litestar, random, draining)  # type: ignore[arg-type]
