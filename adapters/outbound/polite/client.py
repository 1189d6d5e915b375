"""PoliteClient: the only client for outgoing requests, each within the budget of its host."""

import math
import ssl
from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

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
    Sign,
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
from application.ports.operations import Events, SpanKind, Tracer
from application.ports.politeness import Budget
from application.ports.system import Clock, Random
from domain.errors import SourceBlocked, SourceError, SourceRefused, SourceUnavailable
from domain.events import UpstreamAsked, UpstreamWaited
from domain.politeness import MAX_TRIES, Admission, retry_delay_s
from domain.reports import Traffic

MAX_REDIRECTS = 3
#: A request that must wait longer for its budget fails, with the time to retry.
LONGEST_WAIT = timedelta(seconds=10)
#: A response slower than this that also took more than half of the available time is used, but
#: counts against the host.
SLOW = timedelta(seconds=10)


class PoliteClient:
    """The client for requests to upstreams, within the budget of each host and a deadline.

    `allowed_private` names the hosts, as "host:port", that may have a private address;
    `follow_hosts` those that a redirect may lead to, as in `Url.leads_to`. `max_wire` and
    `max_decoded` limit a body before and after unpacking, in bytes; `patience_s` limits the wait
    of one try for the next bytes, in addition to the deadline and the host's rules. `resolve`
    returns the addresses of a host, `tls` holds the trusted certificates.
    """

    def __init__(
        self,
        budget: Budget,
        clock: Clock,
        random: Random,
        events: Events,
        tracer: Tracer,
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
        self._tracer = tracer
        self._follow_hosts = follow_hosts
        self._allowed_private = allowed_private
        self._max_wire = max_wire
        self._patience_s = patience_s
        network = Network(resolve, allowed_private)
        self._exchange = HttpExchange(network, tls, user_agent, max_decoded)
        self._running: ShieldedTasks[_Response] = ShieldedTasks()

    @property
    def clock(self) -> Clock:
        """Return the clock of the client, for sources that read without requests."""
        return self._clock

    async def get(
        self,
        url: Url,
        deadline: datetime,
        traffic: Traffic,
        validators: Validators | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        rules: HostRules = NO_RULES,
        wanted: Wanted = NOTHING_ELSE,
        sign: Sign | None = None,
    ) -> UpstreamResponse | NotModified:
        """Get one URL; the deadline includes retries and waits.

        `headers` are sent only to the host of the URL, `validators` only with the URL they belong
        to, also after a redirect to it.

        Raise SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or UnexpectedContent.
        """
        request = UpstreamRequest(url, headers, validators, rules, wanted=wanted, sign=sign)
        call = self._call(deadline, traffic)
        for _ in range(MAX_REDIRECTS + 1):
            reply, arrived_at = await self._send_with_retries(request, call)
            if reply.status not in REDIRECTS:
                # Of several pages the one that expires first decides.
                stated = [traffic.fresh_until, reply.fresh_until(arrived_at)]
                traffic.fresh_until = min(filter(None, stated), default=None)
            if reply.status == NOT_MODIFIED:
                traffic.not_modified += 1
                return NotModified(request.url.text, reply.kept_headers(wanted))
            if reply.status not in REDIRECTS:
                return reply.answer(request, arrived_at)
            request = request.redirected(reply.header("location"), self._follow_hosts)
        raise SourceRefused(f"{request.url.label} redirects too often", code="redirect_refused")

    async def post(self, url: Url, body: bytes, deadline: datetime, traffic: Traffic) -> None:
        """Post a JSON body, without reading the response's; raises as `get` does.

        It is never retried, because after a failure the body may have arrived.
        """
        request = UpstreamRequest(url, body=body)
        call = self._call(deadline, traffic)
        await self._wait_for_admission(request, call)
        try:
            await self._send_once(request, call)
        except RetryableError as failure:
            raise failure.error from failure

    async def ask_token(
        self, url: Url, form: Mapping[str, str], deadline: datetime, traffic: Traffic
    ) -> bytes:
        """Return the response of a token endpoint to a form; raise as `get` does.

        It is retried, because asking for a token changes nothing; no redirect is followed.
        """
        request = UpstreamRequest(url, body=urlencode(form).encode(), form=True)
        reply, _ = await self._send_with_retries(request, self._call(deadline, traffic))
        if reply.status in REDIRECTS:
            raise SourceRefused(f"{url.label} redirects elsewhere", code="redirect_refused")
        return reply.body

    def may_see_secrets(self, url: Url) -> bool:
        """Return whether a secret may be sent there: encrypted, or to a private host of ours."""
        return url.scheme == "https" or f"{url.host}:{url.port}" in self._allowed_private

    async def close(self) -> None:
        """Cancel the running requests and close all connections."""
        # Cancelling breaks the pool, but it is not used again.
        await self._running.close()
        await self._exchange.close()

    # ------------------------------------------------------------ retries

    async def _send_with_retries(
        self, request: UpstreamRequest, call: "_CallContext"
    ) -> "_Response":
        await self._wait_for_admission(request, call)
        while True:
            try:
                return await self._send_once(request, call)
            except RetryableError as failure:
                await self._wait_to_retry(request, failure, call)
                await self._wait_for_admission(request, call, failure.error)
                call.traffic.retries += 1

    async def _wait_to_retry(
        self, request: UpstreamRequest, failure: RetryableError, call: "_CallContext"
    ) -> None:
        call.failures += 1
        if call.failures >= MAX_TRIES:
            raise failure.error
        if failure.stale or failure.block_s:
            return  # the budget knows how long to wait
        delay_s = retry_delay_s(call.failures, self._random.fraction())
        again_at = self._clock.now() + timedelta(seconds=max(delay_s, failure.least_s))
        if again_at >= call.deadline:
            raise failure.error
        await self._wait(request.url.key, again_at, call)

    # ------------------------------------------------------------ admission

    async def _wait_for_admission(
        self, request: UpstreamRequest, call: "_CallContext", failed: SourceError | None = None
    ) -> None:
        """Wait until the budget admits the request or, after a failure, the retry."""
        key = request.url.key
        while True:
            if self._clock.now() >= call.deadline:
                raise failed or late(request.url.label)
            admission, again_at = await self._budget.spend(key, retry=failed is not None)
            if admission is Admission.GO:
                return
            if admission is Admission.RETRIES and failed is not None:
                raise failed
            if admission is Admission.BREAKER:
                raise SourceUnavailable(
                    f"{key} keeps failing, so requests to it are paused", retry_at=again_at
                )
            if again_at >= call.deadline or again_at > self._clock.now() + LONGEST_WAIT:
                timed = failed if failed is not None and failed.retry_at else None
                raise timed or self._not_admitted(key, admission, again_at, call)
            await self._wait(key, again_at, call)

    def _not_admitted(
        self, key: str, admission: Admission, again_at: datetime, call: "_CallContext"
    ) -> SourceError:
        """Return the error of a request that must wait too long, which depends on its fetch."""
        sent = call.traffic.requests
        if admission is Admission.BLOCKED:
            reason = f"{key} has refused requests, or asked for a pause, and gets none for a while"
        elif sent and again_at <= self._clock.now() + LONGEST_WAIT:
            return cut_short(key, sent, again_at)
        else:
            reason = f"our own limit for {key} is reached for now"
            if sent:
                reason += f", after {counted(sent)}; CATCHMENT_RATE_LIMITS can allow more"
        return SourceBlocked(reason, retry_at=again_at)

    async def _wait(self, key: str, until: datetime, call: "_CallContext") -> None:
        # At least a millisecond, in case rounding put the time into the past.
        seconds = max(0.001, (until - self._clock.now()).total_seconds())
        began = self._clock.now()
        await self._clock.sleep(seconds)
        waited_ms = max(0, round((self._clock.now() - began).total_seconds() * 1000))
        call.traffic.wait_ms += waited_ms
        self._events.publish(UpstreamWaited(host=key, duration_ms=waited_ms))

    def _call(self, deadline: datetime, traffic: Traffic) -> "_CallContext":
        return _CallContext(deadline, traffic, deadline - self._clock.now())

    # ------------------------------------------------------------ one try

    async def _send_once(self, request: UpstreamRequest, call: "_CallContext") -> "_Response":
        began = self._clock.now()
        seconds = min(call.deadline - began, call.longest).total_seconds()
        patience_s = min(self._patience_s, request.rules.patience_s or math.inf)
        limits = RequestLimits(request.url.label, seconds, self._max_wire, patience_s)
        call.traffic.requests += 1
        # The caller may be cancelled; the request may not, or the pool loses a connection for ever.
        return await self._running(self._send_and_record(request, limits, call, began))

    async def _send_and_record(
        self,
        request: UpstreamRequest,
        limits: RequestLimits,
        call: "_CallContext",
        began: datetime,
    ) -> "_Response":
        key, ok, status = request.url.key, True, 0
        slow_from = max(SLOW, (call.deadline - began) / 2)
        try:
            reply = await self._send_traced(request, limits)
            status = reply.status
            arrived_at = self._clock.now()
            judge(reply, request, arrived_at)
            ok = arrived_at - began <= slow_from
            used_up_s = renewed_s(reply.headers, arrived_at)
            if used_up_s is not None:  # this was the last request it allows for now
                await self._block(key, used_up_s)
            return _Response(reply, arrived_at)
        except (RetryableError, SourceError) as failure:
            ok = not counts_against_host(failure)
            if isinstance(failure, RetryableError) and failure.block_s is not None:
                await self._block(key, failure.block_s)
            if isinstance(failure, HostRefused) and failure.retry_at is not None:
                await self._budget.block(key, failure.retry_at)
            raise
        finally:
            took_ms = max(0.0, (self._clock.now() - began).total_seconds() * 1000)
            self._events.publish(UpstreamAsked(host=key, status=status, duration_ms=took_ms))
            call.traffic.bytes += limits.body_bytes
            await self._budget.record_outcome(key, ok)

    async def _send_traced(self, request: UpstreamRequest, limits: RequestLimits) -> RawResponse:
        method = "GET" if request.body is None else "POST"
        named = {"http.request.method": method, "server.address": request.url.key}
        with self._tracer.span(method, SpanKind.CLIENT, named) as span:
            reply = await self._exchange.send(self._continued(request), limits)
            span.note({"http.response.status_code": reply.status})
            return reply

    def _continued(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return a request whose upstream can continue the trace, if there is one."""
        traceparent = self._tracer.traceparent()
        if traceparent is None:
            return request
        headers = {**request.headers, "traceparent": traceparent}
        return msgspec.structs.replace(request, headers=headers)

    async def _block(self, key: str, seconds: float) -> None:
        await self._budget.block(key, self._clock.now() + timedelta(seconds=seconds))


class _CallContext(msgspec.Struct):
    """The state shared by the tries, redirects and waits of one call.

    `longest` limits each try, so that a clock that is set back gives none of them more time.
    """

    deadline: datetime
    traffic: Traffic
    longest: timedelta
    failures: int = 0


class _Response(NamedTuple):
    """An accepted response, and the time of its arrival."""

    reply: RawResponse
    at: datetime
