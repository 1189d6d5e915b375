"""Client limits and login attempts over SQL, counted for all processes together."""

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, SqlSession, SqlWrite
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import attempts, client_limits
from application.ports.accounts import ClientLimits, LoginAttempts
from application.ports.system import Clock
from domain.errors import TooManyRequests
from domain.politeness import Rate
from domain.sessions import digest_of
from domain.throttling import Allowance, Attempts, Guess, allowance, spacing_s
from domain.times import from_micros, to_micros

_S = 1_000_000

_full = client_limits.c.full_at
#: A later time cannot have been stored by this clock, unless the clock was set back since.
_LONGEST = now() + bindparam("window") + _S
_from = case((and_(_full > now(), _full <= _LONGEST), _full), else_=now())
#: One statement, so that concurrent requests cannot exceed the limit.
_SPEND = (
    upsert(client_limits)
    .values(client=bindparam("of"), full_at=now() + bindparam("spacing"))
    .on_conflict_do_update(
        index_elements=["client"],
        set_={"full_at": _from + bindparam("spacing")},
        where=_from + bindparam("spacing") <= now() + bindparam("window"),
    )
    .returning(_full - now())
)
_LEFT = select(_full - now()).where(client_limits.c.client == bindparam("of"))


class SqlClientLimits(ClientLimits):
    """The rate limits of clients in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spend(self, client: str, rate: Rate) -> Allowance:
        """Count one more request, if there is one left."""
        # Not durable: losing a few requests in a power failure is harmless.
        async with self._database.write(durable=False) as session:
            named = {
                "of": client,
                "spacing": round(spacing_s(rate) * _S),
                # Rounded spacings must still add up to the window.
                "window": round(rate.window_s * _S) + rate.count,
                "now": self._database.now(self._clock),
            }
            spent = await session.rows(_SPEND, named)
            rows = spent or await session.rows(_LEFT, named)
        return allowance(rate, rows[0][0] / _S, bool(spent))


_NAMES = ("failures", "blocked_until", "known", "seen_at")
_NOW = select(now())
_MAKE = upsert(attempts).on_conflict_do_nothing()
_GET = (
    select(*(attempts.c[name] for name in _NAMES))
    .where(attempts.c.key == bindparam("of"))
    .with_for_update()
)
_PUT = (
    update(attempts)
    .where(attempts.c.key == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _NAMES})
)
_EVERYWHERE = ""


class SqlLoginAttempts(LoginAttempts):
    """Login attempts in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, account: str, network: str) -> float:
        """Count an attempt from a network; raise TooManyRequests if it must wait.

        Return how many seconds the next attempt would have to wait.
        """
        async with self._database.write() as session:
            micros, guess = await self._locked(session, account, network)
            now = from_micros(micros)
            wait_s, following = guess.wait_s(now), guess.after_attempt(now)
            if not wait_s:
                await _put(session, account, network, following)
        if wait_s:
            raise TooManyRequests("too many wrong passwords; wait before the next try", wait_s)
        return following.wait_s(now)

    async def succeed(self, account: str, network: str) -> None:
        """Record that the last attempt succeeded."""
        async with self._database.write() as session:
            now, guess = await self._locked(session, account, network)
            await _put(session, account, network, guess.succeeded(from_micros(now)))

    async def _locked(self, session: SqlSession, account: str, network: str) -> tuple[int, Guess]:
        [[now]] = await session.rows(_NOW, {"now": self._database.now(self._clock)})
        found = []
        for at in (network, _EVERYWHERE):
            named = {"of": _key(account, at)}
            rows = await session.rows(_GET, named)
            while not rows:
                # Inserted first, so that there is a row to lock.
                empty = _row_of(Attempts(seen_at=from_micros(now)))
                await session.run(_MAKE, {"key": named["of"], **empty})
                rows = await session.rows(_GET, named)
            found.append(_attempts(*rows[0]))
        return now, Guess(*found)


async def _put(session: SqlSession, account: str, network: str, guess: Guess) -> None:
    writes: list[SqlWrite] = []
    for at, changed in ((network, guess.here), (_EVERYWHERE, guess.strangers)):
        values = {f"new_{name}": value for name, value in _row_of(changed).items()}
        writes.append((_PUT, {"of": _key(account, at), **values}))
    await session.run_all(writes)


def _key(account: str, network: str) -> str:
    """Return the key of an account and a network; a digest, because any text may be a name."""
    return f"{digest_of(account)} {network}"


def _row_of(known: Attempts) -> dict[str, Any]:
    row = msgspec.structs.asdict(known)
    for name in ("blocked_until", "seen_at"):
        row[name] = to_micros(row[name])
    return row


def _attempts(
    failures: int, blocked_until: int | None, known: bool, seen_at: int | None
) -> Attempts:
    return Attempts(failures, from_micros(blocked_until), bool(known), from_micros(seen_at))
