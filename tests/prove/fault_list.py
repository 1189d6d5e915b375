"""Deliberate faults in our own code, each with the test that must notice it."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One text in one file that becomes another, and the pytest arguments that must turn red."""

    name: str
    file: str
    old: str
    new: str
    test: str


_CONTRACT = "tests/contract"

FAULTS = (
    # ------------------------------------------------------------ domain
    Fault(
        "a lease runs out a moment too late",
        "domain/jobs.py",
        "self.lease_until <= now",
        "self.lease_until < now",
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a cancelled job keeps its fence",
        "domain/jobs.py",
        "status=JobStatus.CANCELLED,\n            fence=self.fence + 1,",
        "status=JobStatus.CANCELLED,\n            fence=self.fence,",
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a deferred job remembers its attempts",
        "domain/jobs.py",
        "status=JobStatus.QUEUED, attempts=0, run_at=run_at",
        "status=JobStatus.QUEUED, run_at=run_at",
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a source is due a moment too late",
        "domain/politeness.py",
        "abs(now - checkpoint.fetched_at) >= interval",
        "abs(now - checkpoint.fetched_at) > interval",
        "tests/domain/test_politeness.py",
    ),
    Fault(
        "the burst is one too many",
        "domain/politeness.py",
        "rate.spacing_s * (rate.burst - 1)",
        "rate.spacing_s * rate.burst",
        f"{_CONTRACT}/politeness/test_budget_machine.py -k memory",
    ),
    Fault(
        "a shorter block shortens a longer one",
        "domain/politeness.py",
        "blocked_until_s=max(self.blocked_until_s, until_s)",
        "blocked_until_s=until_s",
        f"{_CONTRACT}/politeness/test_budget.py -k 'shorter_block and memory'",
    ),
    Fault(
        "a second probe may leave while the first is out",
        "domain/politeness.py",
        "outcomes=_PROBING, open_until_s=now_s + PROBE_S",
        "outcomes=_PROBING",
        f"{_CONTRACT}/politeness/test_budget.py -k 'one_is_the_probe and sqlite'",
    ),
    Fault(
        "a failed probe opens the breaker for no longer than before",
        "domain/politeness.py",
        "min(self.open_for_s * 2, BREAKER_LONGEST_S)",
        "min(self.open_for_s, BREAKER_LONGEST_S)",
        f"{_CONTRACT}/politeness/test_budget_machine.py -k memory",
    ),
    Fault(
        "missed ticks are all made up for",
        "domain/schedules.py",
        "ticks = max(1, (now - self.tick_at) // self.every + 1)",
        "ticks = 1",
        "tests/domain/test_schedules.py",
    ),
    Fault(
        "`ne` drops nulls",
        "domain/filters.py",
        "return self.operator.keeps_null",
        "return False",
        "tests/domain/test_filters.py",
    ),
    Fault(
        "nulls come first",
        "domain/paging.py",
        "sorted(present, key=value, reverse=term.descending) + missing",
        "missing + sorted(present, key=value, reverse=term.descending)",
        "tests/domain/test_paging.py",
    ),
    Fault(
        "an order without the key",
        "domain/paging.py",
        "for field in rest)))",
        "for field in rest if not terms)))",
        f"{_CONTRACT}/datasets/test_cursor_machine.py -k memory",
    ),
    Fault(
        "a cursor serves any question",
        "domain/paging.py",
        "self.cursor.question != self.question",
        "self.cursor.question == ''",
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "the hour after which a point is too old is a moment too short",
        "domain/builtin/data_points.py",
        "received_at - moment > OLDEST",
        "received_at - moment >= OLDEST",
        "tests/domain/builtin/test_data_points.py",
    ),
    Fault(
        "one more guess is free",
        "domain/throttling.py",
        "if failures >= free:",
        "if failures > free:",
        "tests/domain/test_throttling.py",
    ),
    Fault(
        "a refresh token has no grace",
        "domain/sessions.py",
        "now - used_at > GRACE",
        "now - used_at >= GRACE",
        "tests/domain/test_sessions.py",
    ),
    Fault(
        "a session outlives the password it was opened with",
        "application/accounts/sessions.py",
        "if user is None or user.disabled or user.version != session.version:",
        "if user is None or user.disabled:",
        "tests/application/accounts/test_every_call_of_accounts.py -k ChangingThePassword",
    ),
    Fault(
        "`If-Match` is not looked at",
        "domain/tasks.py",
        "if seen is not None and self.version not in seen:",
        "if seen == set():",
        "tests/application/tasks/test_tasks.py",
    ),
    # ------------------------------------------------------------ application
    Fault(
        "what a role may not see is counted",
        "application/datasets/query.py",
        "self._store.count(self.dataset, self.dataset.seen_by(viewer))",
        "self._store.count(self.dataset, self.dataset.seen_by(Role.ADMIN))",
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "a page is not narrowed to what a role may see",
        "application/datasets/query.py",
        "narrowed = self._narrowed(request, viewer)",
        "narrowed = request",
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "a changed upstream is merged",
        "application/ingest/normalise.py",
        "if first is None or self.bad < HOLD_COUNT or",
        "if first is None or self.bad >= 0 or",
        "tests/application/ingest/test_sync_source.py",
    ),
    Fault(
        "a digest that is only believed is merged again",
        "application/ingest/sync_source.py",
        "known is not None and known.digest == checkpoint.digest",
        "known is not None and known.digest == ''",
        "tests/application/ingest/test_sync_source.py",
    ),
    Fault(
        "whoever leaves stops the run of the others",
        "application/concurrency.py",
        "await asyncio.wait([task])",
        "await task",
        "tests/application/ingest/test_run.py tests/application/ingest/test_fetch.py",
    ),
    Fault(
        "the heart does not beat",
        "application/ingest/run_job.py",
        "await self._job_backend.jobs.renew(job)",
        "return",
        "tests/application/ingest/test_heartbeat.py -k loses_its_lease",
    ),
    Fault(
        "a job is tried for ever",
        "application/ingest/run_job.py",
        "if job.attempts > MAX_ATTEMPTS:",
        "if job.attempts < 0:",
        "tests/application/ingest/test_run.py tests/application/ingest/test_takeover.py",
    ),
    Fault(
        "nobody looks for lost jobs",
        "application/jobs/worker.py",
        "found = await self._job_backend.history.overdue(free) if free else []",
        "found = []",
        "tests/application/jobs/test_worker.py",
    ),
    Fault(
        "a broker that is away fails the request",
        "application/ingest/job_backend.py",
        "return  # the row is the truth, and the sweep reads it",
        "raise",
        "tests/application/ingest/test_start.py",
    ),
    Fault(
        "an access token outlives the password",
        "application/accounts/authentication.py",
        "user is None or user.disabled or user.version != claims.version",
        "user is None or user.disabled",
        "tests/application/accounts/test_every_call_of_accounts.py -k ChangingThePassword",
    ),
    # ------------------------------------------------------------ adapters: SQL
    Fault(
        "a merge does not check the fence",
        "adapters/sql/ingest/intake.py",
        "if not await self._session.rows(_HOLDS, held):",
        "if held is None:",
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'thought_dead_cannot_commit and sqlite'",
    ),
    Fault(
        "the checkpoint is written before the data",
        "adapters/sql/ingest/intake.py",
        "        async with self._session.transaction():\n"
        "            counts = await self._merge() if self._open else Counts()\n"
        "            if checkpoint is not None:\n",
        "        async with self._session.transaction():\n"
        "            if checkpoint is not None:\n"
        "                early = self._noted(checkpoint, Counts())\n"
        "                await self._session.run(_CHECKPOINT, early)\n"
        "        async with self._session.transaction():\n"
        "            counts = await self._merge() if self._open else Counts()\n"
        "            if checkpoint is not None:\n",
        f"{_CONTRACT}/datasets/test_store_machine.py -k sqlite",
    ),
    Fault(
        "the lease is renewed without the fence",
        "adapters/sql/jobs/jobs.py",
        '    jobs.c.fence == bindparam("held"),\n',
        "",
        f"{_CONTRACT}/jobs/test_jobs_machine.py -k sqlite",
    ),
    Fault(
        "an attempt is not counted at its claim",
        "adapters/sql/jobs/jobs.py",
        "attempts=jobs.c.attempts + 1",
        "attempts=jobs.c.attempts",
        f"{_CONTRACT}/jobs/test_jobs_machine.py -k sqlite",
    ),
    Fault(
        "the budget is written without its condition",
        "adapters/sql/politeness/budget.py",
        '    where=hosts.c.version == bindparam("seen"),\n',
        "",
        f"{_CONTRACT}/politeness/test_budget.py -k 'many_that_ask_at_once and sqlite'",
    ),
    Fault(
        "a tick is fired by everybody",
        "adapters/sql/jobs/schedules.py",
        "            if not await self._moved(session, seen, following):\n"
        "                return None\n",
        "            await self._moved(session, seen, following)\n",
        f"{_CONTRACT}/jobs/test_schedules.py -k 'many_who_fire and sqlite'",
    ),
    Fault(
        "a refresh token is used without looking whether it was used",
        "adapters/sql/accounts/sessions.py",
        "stolen = used_at is not None and is_replay(from_micros(used_at), from_micros(now))",
        "stolen = False",
        f"{_CONTRACT}/accounts/test_accounts.py -k 'used_again_later and sqlite'",
    ),
    Fault(
        "a guess is not counted before it is known whether it is right",
        "adapters/sql/accounts/throttling.py",
        "await _put(session, account, place, guess.after_attempt(from_micros(now)))",
        "pass",
        f"{_CONTRACT}/accounts/test_throttling.py -k 'free and sqlite'",
    ),
    Fault(
        "`ne` drops nulls in SQL",
        "adapters/sql/datasets/conditions.py",
        'Operator.NE: lambda column, bind: column.is_distinct_from(bind("")),',
        'Operator.NE: lambda column, bind: column != bind(""),',
        f"{_CONTRACT}/datasets/test_store_pages.py -k 'may_be_missing and sqlite'",
    ),
    Fault(
        "a row of a newer receipt is overwritten",
        "adapters/sql/ingest/merge.py",
        "newer = and_(table.c._hash != stage.c._hash, table.c._receipt <= stage.c._receipt)",
        "newer = table.c._hash != stage.c._hash",
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'newer_receipt and sqlite'",
    ),
    Fault(
        "of a key that comes twice the first record wins",
        "adapters/sql/ingest/merge.py",
        'func.max(stage.c._place).label("last")',
        'func.min(stage.c._place).label("last")',
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'the_last_record_wins and sqlite'",
    ),
    Fault(
        "an update does not move the sequence number",
        "adapters/sql/ingest/intake.py",
        "if updated or inserted:",
        "if inserted:",
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'sequence_moves and sqlite'",
    ),
    Fault(
        "a hidden record is found by its key",
        "adapters/sql/datasets/store.py",
        "return rows[0] if rows and seen.matches(rows[0]) else None",
        "return rows[0] if rows else None",
        f"{_CONTRACT}/datasets/test_store_pages.py -k 'when_it_is_visible and sqlite'",
    ),
    Fault(
        "a write transaction begins as a read",
        "adapters/sql/engine/sqlite/connections.py",
        '"BEGIN IMMEDIATE"',
        '"BEGIN"',
        "tests/adapters/sql/engine/test_sqlite.py -k nobody_writes_between",
    ),
    # ------------------------------------------------------------ adapters: the others
    Fault(
        "in memory a merge does not check the fence",
        "adapters/memory/database.py",
        " or known.fence != job.fence:",
        ":",
        "tests/simulation -k 'kept_whatever_happens and memory'",
    ),
    Fault(
        "a retry costs no retry",
        "adapters/outbound/polite/client.py",
        "retry=failed is not None",
        "retry=False",
        "tests/adapters/outbound/polite/test_statuses.py",
    ),
    Fault(
        "`Retry-After` is forgotten",
        "adapters/outbound/polite/client.py",
        "await self._leave_alone(key, failure.block_s)",
        "pass",
        "tests/adapters/outbound/polite/test_statuses.py",
    ),
    Fault(
        "a request is cancelled with whoever asked",
        "application/concurrency.py",
        "await asyncio.wait([task])",
        "await task",
        "tests/adapters/outbound/polite/test_cancellation.py",
    ),
    Fault(
        "a redirect leads anywhere",
        "adapters/outbound/polite/urls.py",
        "return there if there._origin in (self._origin, self._upgraded) else None",
        "return there",
        "tests/adapters/outbound/polite/test_redirects.py",
    ),
    Fault(
        "an announcement is acknowledged before it is dealt with",
        "adapters/queue/rabbitmq.py",
        "        if await managed(self._handle, job_id):\n            return message.ack()\n",
        "        await self._settle(message.ack())\n"
        "        if await managed(self._handle, job_id):\n            return asyncio.sleep(0)\n",
        f"{_CONTRACT}/jobs/test_queue.py -k abandoned",
    ),
    Fault(
        "what a listener leaves undone is lost",
        "adapters/queue/embedded.py",
        "            self._put(announcement)  # others may listen\n",
        "",
        f"{_CONTRACT}/jobs/test_queue.py -k 'abandoned and embedded'",
    ),
    Fault(
        "503 without `Retry-After`",
        "adapters/http/protocol/problems.py",
        "    HTTPStatus.SERVICE_UNAVAILABLE: 5,\n",
        "",
        "tests/adapters/http/protocol/test_problems.py",
    ),
    Fault(
        "an `ETag` that is the same for every role",
        "adapters/http/datasets/validators.py",
        "            asked.role.value,\n",
        "",
        "tests/adapters/http/datasets/test_data_points.py -k another_tag",
    ),
    Fault(
        "a request of which nobody knows what came frees its key",
        "adapters/http/ingest/idempotency.py",
        "await _settled(self._idempotency.release(key))",
        "await _settled(self._idempotency.abandon(key))",
        "tests/adapters/http/ingest/test_idempotency.py",
    ),
    Fault(
        "a change has the time of our clock, whatever the one before has",
        "adapters/sql/ingest/sequence.py",
        "max(to_micros(clock.now()), int(at) + 1)",
        "to_micros(clock.now())",
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'clock_was_set_back and sqlite'",
    ),
    Fault(
        "jobs that kill their workers are taken over together",
        "application/jobs/worker.py",
        "if not job.is_suspected:",
        "if True:",
        "tests/application/ingest/test_run_job.py",
    ),
    Fault(
        "a token that GitHub sends back is kept",
        "adapters/outbound/github.py",
        'text.replace(self._token, "***") if text and self._token else text',
        "text",
        "tests/adapters/outbound/test_github.py",
    ),
)
