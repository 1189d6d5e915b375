"""PoliteClient: the one way out of the product, which asks permission before every request."""

import math
import ssl
from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from adapters.outbound.polite.bodies import MIB
from adapters.outbound.polite.exchange import HttpExchange
from adapters.outbound.polite.failures import (
    HostRefused,
    RetryableError,
    counted,
    counts_against_host,
    cut_short,
    late,
)
from adapters.outbound.polite.messages import (
    NO_HEADERS,
    NO_RULES,
    NOT_MODIFIED,
    NOTHING_ELSE,
    REDIRECTS,
    HostRules,
    NotModified,
    RawResponse,
    UpstreamRequest,
    UpstreamResponse,
    Validators,
    Wanted,
    judge,
)
from adapters.outbound.polite.network import Network, RequestLimits, Resolve, resolve
from adapters.outbound.polite.rate_headers import renewed_s
from adapters.outbound.polite.urls import Url
from application.concurrency import ShieldedTasks
from application.ports.operations import Events
from application.ports.politeness import Budget
from application.ports.system import Clock, Random
from domain.errors import SourceBlocked, SourceError, SourceRefused, SourceUnavailable
from domain.events import UpstreamAsked, UpstreamWaited
from domain.politeness import MAX_TRIES, Admission, retry_delay_s
from domain.reports import Traffic

MAX_REDIRECTS = 3
#: Whoever must wait longer for permission is sent away with the time to come back.
LONGEST_WAIT = timedelta(seconds=10)
#: An answer slower than this that also took more than half of the time there was is right, and
#: still a sign that the host is in trouble.
SLOW = timedelta(seconds=10)


class PoliteClient:
    """Asks other people's machines, within their budget and our deadline.

    `allowed_private` names the hosts, as "host:port", that may have a private address;
    `follow_hosts` those that a redirect may lead to, as `Url.leads_to` has them. `max_wire` and
    `max_decoded` bound a body before and after unpacking, in bytes; `patience_s` is how long one
    try waits for the next bytes, which only the deadline bounds unless a host's rules do.
    `resolve` finds addresses, `tls` says whom to trust.
    """

    def __init__(
        self,
        budget: Budget,
        clock: Clock,
        random: Random,
        events: Events,
        *,
        allowed_private: Container[str] = frozenset(),
        follow_hosts: frozenset[str] = frozenset(),
        user_agent: str = "catchment/0.1",
        max_wire: int = 20 * MIB,
        max_decoded: int = 100 * MIB,
        patience_s: float = math.inf,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._random = random
        self._events = events
        self._follow_hosts = follow_hosts
        self._max_wire = max_wire
        self._patience_s = patience_s
        network = Network(resolve, allowed_private)
        self._exchange = HttpExchange(network, tls, user_agent, max_decoded)
        self._running: ShieldedTasks[_Arrived] = ShieldedTasks()

    @property
    def clock(self) -> Clock:
        """The clock it goes by, for sources that read something without asking anybody."""
        return self._clock

    async def get(
        self,
        url: Url,
        ask_until: datetime,
        traffic: Traffic,
        validators: Validators | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        rules: HostRules = NO_RULES,
        wanted: Wanted = NOTHING_ELSE,
    ) -> UpstreamResponse | NotModified:
        """Ask for one URL until the deadline, which covers everything, retries and waits too.

        `headers` are sent to the host of the URL, and nowhere else, `validators` with the URL they
        are of, also when a redirect leads there.
        SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or UnexpectedContent.
        """
        request = UpstreamRequest(url, headers, validators, rules, wanted=wanted)
        errand = _CallContext(ask_until, traffic)
        for _ in range(MAX_REDIRECTS + 1):
            reply, arrived_at = await self._persist(request, errand)
            if reply.status not in REDIRECTS:
                # Of several pages the one that ages first decides.
                stated = [traffic.fresh_until, reply.fresh_until(arrived_at)]
                traffic.fresh_until = min(filter(None, stated), default=None)
            if reply.status == NOT_MODIFIED:
                traffic.not_modified += 1
                return NotModified(request.url.text, reply.kept_headers(wanted))
            if reply.status not in REDIRECTS:
                return reply.answer(request, arrived_at)
            request = request.redirected(reply.header("location"), self._follow_hosts)
        raise SourceRefused(
            f"{request.url.place} sends us round in circles", code="redirect_refused"
        )

    async def post(self, url: Url, body: bytes, ask_until: datetime, traffic: Traffic) -> None:
        """Send a JSON body; what is said to it is not read. Errors as for `get`.

        Sent once and never again, because a failure does not tell whether it has arrived.
        """
        request = UpstreamRequest(url, body=body)
        errand = _CallContext(ask_until, traffic)
        await self._admitted(request, errand)
        try:
            await self._tried(request, errand)
        except RetryableError as setback:
            raise setback.error from setback

    async def close(self) -> None:
        """Break off what is running and close all connections."""
        # The pool is not used again, so it does not matter that cancelling spoils it.
        await self._running.close()
        await self._exchange.close()

    # ------------------------------------------------------------ trying again

    async def _persist(self, request: UpstreamRequest, errand: "_CallContext") -> "_Arrived":
        await self._admitted(request, errand)
        while True:
            try:
                return await self._tried(request, errand)
            except RetryableError as setback:
                await self._recover(request, setback, errand)
                await self._admitted(request, errand, setback.error)
                errand.traffic.retries += 1

    async def _recover(
        self, request: UpstreamRequest, setback: RetryableError, errand: "_CallContext"
    ) -> None:
        errand.failures += 1
        if errand.failures >= MAX_TRIES:
            raise setback.error
        if setback.stale or setback.block_s:
            return  # the budget knows how long to wait
        delay_s = retry_delay_s(errand.failures, self._random.fraction())
        again_at = self._clock.now() + timedelta(seconds=max(delay_s, setback.least_s))
        if again_at >= errand.ask_until:
            raise setback.error
        await self._wait(request.url.key, again_at, errand)

    # ------------------------------------------------------------ asking permission

    async def _admitted(
        self, request: UpstreamRequest, errand: "_CallContext", failed: SourceError | None = None
    ) -> None:
        """Wait for permission to send; after a failure it is permission to retry."""
        key = request.url.key
        while True:
            if self._clock.now() >= errand.ask_until:
                raise failed or late(request.url.place)
            verdict, again_at = await self._budget.spend(key, retry=failed is not None)
            if verdict is Admission.GO:
                return
            if verdict is Admission.RETRIES and failed is not None:
                raise failed
            if verdict is Admission.BREAKER:
                raise SourceUnavailable(
                    f"{key} keeps failing, so it is left alone for a while", retry_at=again_at
                )
            if again_at >= errand.ask_until or again_at > self._clock.now() + LONGEST_WAIT:
                told = failed if failed is not None and failed.retry_at else None
                raise told or self._not_now(key, verdict, again_at, errand)
            await self._wait(key, again_at, errand)

    def _not_now(
        self, key: str, verdict: Admission, again_at: datetime, errand: "_CallContext"
    ) -> SourceError:
        """Why the next request does not leave: a fetch that is under way should know how to end."""
        sent = errand.traffic.requests
        if verdict is Admission.BLOCKED:
            told = f"{key} has refused us, or asked to be left alone, and is not asked for a while"
        elif sent and again_at <= self._clock.now() + LONGEST_WAIT:
            return cut_short(key, sent, again_at)
        else:
            told = f"our own limit for {key} is reached for now"
            if sent:
                told += f", after {counted(sent)}; CATCHMENT_RATE_LIMITS can allow more"
        return SourceBlocked(told, retry_at=again_at)

    async def _wait(self, key: str, until: datetime, errand: "_CallContext") -> None:
        # At least a moment, in case that rounding put the time to ask again into the past.
        seconds = max(0.001, (until - self._clock.now()).total_seconds())
        began = self._clock.now()
        await self._clock.sleep(seconds)
        waited_ms = max(0, round((self._clock.now() - began).total_seconds() * 1000))
        errand.traffic.wait_ms += waited_ms
        self._events.publish(UpstreamWaited(host=key, duration_ms=waited_ms))

    # ------------------------------------------------------------ one try

    async def _tried(self, request: UpstreamRequest, errand: "_CallContext") -> "_Arrived":
        began = self._clock.now()
        seconds = (errand.ask_until - began).total_seconds()
        patience_s = min(self._patience_s, request.rules.patience_s or math.inf)
        limits = RequestLimits(request.url.place, seconds, self._max_wire, patience_s)
        errand.traffic.requests += 1
        # The caller may be cancelled; the request may not, or the pool loses a place for ever.
        return await self._running(self._settled(request, limits, errand, began))

    async def _settled(
        self,
        request: UpstreamRequest,
        limits: RequestLimits,
        errand: "_CallContext",
        began: datetime,
    ) -> "_Arrived":
        key, ok, status = request.url.key, True, 0
        slow_from = max(SLOW, (errand.ask_until - began) / 2)
        try:
            reply = await self._exchange.send(request, limits)
            status = reply.status
            arrived_at = self._clock.now()
            judge(reply, request, arrived_at)
            ok = arrived_at - began <= slow_from
            used_up_s = renewed_s(reply.headers, arrived_at)
            if used_up_s is not None:  # the last request it allows for now was a good one
                await self._leave_alone(key, used_up_s)
            return _Arrived(reply, arrived_at)
        except (RetryableError, SourceError) as failure:
            ok = not counts_against_host(failure)
            if isinstance(failure, RetryableError) and failure.block_s is not None:
                await self._leave_alone(key, failure.block_s)
            if isinstance(failure, HostRefused) and failure.retry_at is not None:
                await self._budget.block(key, failure.retry_at)
            raise
        finally:
            took_ms = max(0.0, (self._clock.now() - began).total_seconds() * 1000)
            self._events.publish(UpstreamAsked(host=key, status=status, duration_ms=took_ms))
            errand.traffic.bytes += limits.body_bytes
            await self._budget.record_outcome(key, ok)

    async def _leave_alone(self, key: str, seconds: float) -> None:
        await self._budget.block(key, self._clock.now() + timedelta(seconds=seconds))


class _CallContext(msgspec.Struct):
    """What the tries, redirects and waits of one question share."""

    ask_until: datetime
    traffic: Traffic
    failures: int = 0


class _Arrived(NamedTuple):
    """A reply of use, and when it arrived."""

    reply: RawResponse
    at: datetime
