"""Parts of the container for HTTP: its settings, and the use cases of sessions."""

from adapters.http.app import HttpSettings
from adapters.http.protocol.hosts import LOOPBACK, is_loopback
from adapters.sql.accounts.sessions import SqlSessions
from application.accounts.sessions import (
    EndSessions,
    Grant,
    Lifetimes,
    LogIn,
    LogOut,
    OwnSessions,
    Refresh,
    SessionUseCases,
)
from application.ports.accounts import Accounts, LoginAttempts, PasswordHasher, Tokens
from application.ports.operations import Events
from application.ports.system import Clock, Random
from entrypoints.config.secret_key import secret_of
from entrypoints.config.settings import Settings
from entrypoints.version import VERSION


def http_settings_of(settings: Settings, database_id: str) -> HttpSettings:
    """Return the settings of the HTTP adapter."""
    return HttpSettings(
        secret=secret_of(settings),
        database_id=database_id,
        version=VERSION,
        default_dataset=settings.default_dataset,
        max_body_bytes=settings.max_body[0],
        cache_max_age_s=int(settings.cache_max_age.total_seconds()),
        require_login=settings.require_login,
        metrics=settings.metrics,
        client_limits=settings.client_limits,
        cors_origins=settings.cors_origins,
        allowed_hosts=_hosts_of(settings),
        trusted_proxies=settings.trusted_proxies,
        root_path=settings.root_path,
    )


def _hosts_of(settings: Settings) -> tuple[str, ...]:
    """Return the accepted hosts; the loopback names if only this machine can connect.

    Otherwise a web page could read everything after DNS rebinding.
    """
    is_alone = not settings.allowed_hosts and not settings.trusted_proxies
    return LOOPBACK if is_alone and is_loopback(settings.host) else settings.allowed_hosts


def sessions_of(
    settings: Settings,
    accounts: Accounts,
    sessions: SqlSessions,
    end_sessions: EndSessions,
    attempts: LoginAttempts,
    hasher: PasswordHasher,
    tokens: Tokens,
    clock: Clock,
    random: Random,
    events: Events,
) -> SessionUseCases:
    """Return the use cases of sessions."""
    lifetimes = Lifetimes(settings.access_token_ttl, settings.refresh_token_ttl)
    grant = Grant(tokens, clock, lifetimes)
    return SessionUseCases(
        log_in=LogIn(accounts, sessions, attempts, hasher, grant, clock, random, events),
        refresh=Refresh(accounts, sessions, tokens, grant),
        log_out=LogOut(sessions),
        own=OwnSessions(sessions, end_sessions),
    )
