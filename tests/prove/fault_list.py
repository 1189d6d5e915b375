"""Deliberate faults in our own code, each with the test that must notice it.

A fault names a package and what in it is wrong, a function or a constant, and changes one place of
its syntax tree. Where code has moved or been renamed, `python -m tests.prove.faults --check` says
which faults no longer apply, and the line of each is all there is to mend.
"""

import ast
from typing import NamedTuple

from tests.prove.edits import (
    Edit,
    after,
    both,
    code,
    compare,
    compared,
    edit,
    gone,
    named,
    part,
    turned_round,
    with_field,
    without,
)


class Fault(NamedTuple):
    """One edit of `package:qualified.name`, and the pytest arguments that must turn red."""

    name: str
    where: str
    edit: Edit
    test: str


_CONTRACT = "tests/contract"
_EARLY = """
async with self._session.transaction():
    if checkpoint is not None:
        await self._session.run(_CHECKPOINT, self._checkpoint_row(checkpoint, Counts()))
"""

FAULTS = (
    # ------------------------------------------------------------ domain
    Fault(
        "a lease expires too late",
        "domain:FetchJob.is_claimable",
        edit(
            ast.Compare,
            "LONGEST_LEASE",
            into=code("now <= self.lease_until <= now + LONGEST_LEASE"),
        ),
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a cancelled job keeps its fence",
        "domain:FetchJob.cancelled",
        edit(ast.BinOp, "fence", into=part("left")),
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a deferred job remembers its attempts",
        "domain:FetchJob.deferred",
        edit(ast.keyword, "attempts", into=gone),
        "tests/domain/test_jobs.py",
    ),
    Fault(
        "a source is due a moment too late",
        "domain:Cadence.is_due",
        compare(ast.GtE, ast.Gt, "fetched_at"),
        "tests/domain/test_politeness.py",
    ),
    Fault(
        "the burst is one too many",
        "domain:Host._spend",
        edit(ast.BinOp, "burst", into=part("left")),
        f"{_CONTRACT}/politeness/test_budget_machine.py -k memory",
    ),
    Fault(
        "a shorter block shortens a longer one",
        "domain:Host.block",
        edit(ast.If, "blocked_until_s", into=gone),
        f"{_CONTRACT}/politeness/test_budget.py -k 'shorter_block and memory'",
    ),
    Fault(
        "a second probe may leave while the first is out",
        "domain:Host._spend",
        edit(ast.keyword, "PROBE_S", into=gone),
        f"{_CONTRACT}/politeness/test_budget.py -k 'one_is_the_probe and sqlite'",
    ),
    Fault(
        "a failed probe opens the breaker for no longer than before",
        "domain:Host.record_outcome",
        edit(ast.BinOp, "open_for_s", into=part("left")),
        f"{_CONTRACT}/politeness/test_budget_machine.py -k memory",
    ),
    Fault(
        "missed ticks are all made up for",
        "domain:Schedule.fired",
        edit(ast.Call, "max", "every", into=code("1")),
        "tests/domain/test_schedules.py",
    ),
    Fault(
        "`ne` drops nulls",
        "domain:Condition.matches",
        edit(ast.Attribute, "keeps_null", into=code("False")),
        "tests/domain/test_filters.py",
    ),
    Fault(
        "nulls come first",
        "domain:Sort.sorted",
        edit(ast.BinOp, "sorted", into=turned_round),
        "tests/domain/test_paging.py",
    ),
    Fault(
        "an order without the key",
        "domain:Sort.parse",
        edit(ast.Starred, "Term", into=gone),
        f"{_CONTRACT}/datasets/test_cursor_machine.py -k memory",
    ),
    Fault(
        "a cursor serves any question",
        "domain:PageRequest.check",
        compared(ast.NotEq, "query_digest", into=code("False")),
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "the hour after which a point is too old is a moment too short",
        "domain:point_of",
        compare(ast.Gt, ast.GtE, "OLDEST"),
        "tests/domain/builtin/test_data_points.py",
    ),
    Fault(
        "one more guess is free",
        "domain:Attempts.after_attempt",
        compare(ast.GtE, ast.Gt, "free"),
        "tests/domain/test_throttling.py",
    ),
    Fault(
        "a refresh token has no grace",
        "domain:is_replay",
        compare(ast.Gt, ast.GtE, "GRACE"),
        "tests/domain/test_sessions.py",
    ),
    Fault(
        "an API token outlives the password that was there when it was created",
        "domain:ApiToken.is_valid",
        edit(ast.Compare, "token_version", into=code("True")),
        "tests/domain/test_sessions.py",
    ),
    Fault(
        "an API token may do what its scope does not say",
        "domain:Caller.require",
        edit(ast.Compare, "scopes", into=code("False")),
        "tests/domain/test_users.py",
    ),
    Fault(
        "a change of a user undoes another role",
        "adapters.sql:_REPLACE",
        edit(ast.Compare, "seen_role", into=code("users.c.key == bindparam('of')")),
        f"{_CONTRACT}/accounts/test_accounts.py -k 'changed_meanwhile and sqlite'",
    ),
    Fault(
        "a session outlives the password it was opened with",
        "application.accounts:Refresh.__call__",
        edit(ast.BoolOp, "version", into=without("version")),
        "tests/application/accounts/test_every_call_of_accounts.py -k ChangingThePassword",
    ),
    Fault(
        "`If-Match` is not looked at",
        "domain:Task.require",
        compared(ast.NotIn, "version", into=code("False")),
        "tests/application/tasks/test_tasks.py",
    ),
    # ------------------------------------------------------------ application
    Fault(
        "what a role may not see is counted",
        "application:Reader.count",
        edit(ast.Attribute, "_seen", into=code("Filter()")),
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "a page is not narrowed to what a role may see",
        "application:Reader.page",
        edit(ast.BinOp, "_seen", into=part("left")),
        "tests/application/datasets/test_query.py",
    ),
    Fault(
        "a changed upstream is merged",
        "application:RejectionStats.failure",
        compared(ast.GtE, "least", into=code("False")),
        "tests/application/ingest/test_sync_source.py",
    ),
    Fault(
        "a record that contradicts an earlier one of its page goes unnoticed",
        "domain:Dataset.collisions",
        compared(ast.Eq, "keys", into=code("True")),
        "tests/application/ingest/test_sync_source.py",
    ),
    Fault(
        "a digest that is only believed is merged again",
        "application:SourceSync._ask",
        compared(ast.Eq, "digest", into=code("False")),
        "tests/application/ingest/test_sync_source.py",
    ),
    Fault(
        "whoever leaves stops the run of the others",
        "application:result_of",
        edit(ast.Call, "wait", into=part("args", 0, "elts", 0)),
        "tests/application/ingest/test_run.py tests/application/ingest/test_fetch.py",
    ),
    Fault(
        "the heart does not beat",
        "application:JobRunner._beat",
        edit(ast.Expr, "renew", into=code("return")),
        "tests/application/ingest/test_heartbeat.py -k loses_its_lease",
    ),
    Fault(
        "a job is tried for ever",
        "application:JobRunner._run",
        compared(ast.Gt, "MAX_ATTEMPTS", into=code("False")),
        "tests/application/ingest/test_run.py tests/application/ingest/test_takeover.py",
    ),
    Fault(
        "nobody looks for lost jobs",
        "application:Worker._sweep",
        edit(ast.Await, "overdue", into=code("[]")),
        "tests/application/jobs/test_worker.py",
    ),
    Fault(
        "a broker that is away fails the request",
        "application:JobBackend.announce",
        edit(ast.ExceptHandler, "QueueUnavailable", into=with_field("body", "raise")),
        "tests/application/ingest/test_start.py",
    ),
    Fault(
        "an access token outlives the password",
        "application:Authenticate._person",
        edit(ast.BoolOp, "version", into=without("version")),
        "tests/application/accounts/test_every_call_of_accounts.py -k ChangingThePassword",
    ),
    # ------------------------------------------------------------ adapters: SQL
    Fault(
        "a merge does not check the fence",
        "adapters.sql:SqlIntake._hold",
        edit(ast.If, "_HOLDS", into=gone),
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'thought_dead_cannot_commit and sqlite'",
    ),
    Fault(
        "the checkpoint is written before the data",
        "adapters.sql:SqlIntake.commit",
        edit(ast.AsyncWith, "_note", into=after(_EARLY)),
        f"{_CONTRACT}/datasets/test_store_machine.py -k sqlite",
    ),
    Fault(
        "the lease is renewed without the fence",
        "adapters.sql.jobs:_HELD",
        edit(ast.Call, "and_", into=without("fence")),
        f"{_CONTRACT}/jobs/test_jobs_machine.py -k sqlite",
    ),
    Fault(
        "an attempt is not counted at its claim",
        "adapters.sql.jobs:_CLAIM",
        edit(ast.BinOp, "attempts", into=part("left")),
        f"{_CONTRACT}/jobs/test_jobs_machine.py -k sqlite",
    ),
    Fault(
        "the budget is written without its condition",
        "adapters.sql.politeness:_PUT",
        edit(ast.keyword, "where", into=gone),
        f"{_CONTRACT}/politeness/test_budget.py -k 'many_that_ask_at_once and sqlite'",
    ),
    Fault(
        "a tick is fired by everybody",
        "adapters.sql:SqlSchedules.fire",
        edit(ast.If, "_move", into=part("test", "operand")),
        f"{_CONTRACT}/jobs/test_schedules.py -k 'many_who_fire and sqlite'",
    ),
    Fault(
        "a refresh token is used without looking whether it was used",
        "adapters.sql:SqlSessions.rotate",
        edit(ast.Call, "is_replay", into=code("False")),
        f"{_CONTRACT}/accounts/test_accounts.py -k 'used_again_later and sqlite'",
    ),
    Fault(
        "a guess is not counted before it is known whether it is right",
        "adapters.sql:SqlLoginAttempts.begin",
        edit(ast.Expr, "_put", into=gone),
        f"{_CONTRACT}/accounts/test_throttling.py -k 'free and sqlite'",
    ),
    Fault(
        "`ne` drops nulls in SQL",
        "adapters.sql:_CLAUSE",
        edit(ast.Call, "is_distinct_from", into=code("column != bind('')")),
        f"{_CONTRACT}/datasets/test_store_pages.py -k 'may_be_missing and sqlite'",
    ),
    Fault(
        "a row of a newer receipt is overwritten",
        "adapters.sql:SqlDataset.merge",
        edit(ast.Call, "and_", "_receipt", into=without("_receipt")),
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'newer_receipt and sqlite'",
    ),
    Fault(
        "of a key that comes twice the first record wins",
        "adapters.sql:_is_repeated_later",
        edit(ast.Attribute, "max", into=named("min")),
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'the_last_record_wins and sqlite'",
    ),
    Fault(
        "an update does not move the sequence number",
        "adapters.sql:SqlIntake._merge",
        edit(ast.BoolOp, "updated", into=without("updated")),
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'sequence_moves and sqlite'",
    ),
    Fault(
        "a hidden record is found by its key",
        "adapters.sql:SqlStore.get",
        edit(ast.BoolOp, "matches", into=without("matches")),
        f"{_CONTRACT}/datasets/test_store_pages.py -k 'when_it_is_visible and sqlite'",
    ),
    Fault(
        "a write transaction begins as a read",
        "adapters.sql:SqliteSession._begin",
        edit(ast.Constant, "BEGIN IMMEDIATE", into=code("'BEGIN'")),
        "tests/adapters/sql/engine/test_sqlite.py -k no_other_process_writes_between",
    ),
    # ------------------------------------------------------------ adapters: the others
    Fault(
        "in memory a merge does not check the fence",
        "adapters.memory:MemoryDatabase.require_held",
        edit(ast.BoolOp, "fence", into=without("fence")),
        "tests/simulation -k 'kept_whatever_happens and memory'",
    ),
    Fault(
        "a retry costs no retry",
        "adapters.outbound:PoliteClient._wait_for_admission",
        edit(ast.keyword, "retry", into=with_field("value", "False")),
        "tests/adapters/outbound/polite/test_statuses.py",
    ),
    Fault(
        "`Retry-After` is forgotten",
        "adapters.outbound:PoliteClient._send_and_record",
        edit(ast.Expr, "_block", "block_s", into=gone),
        "tests/adapters/outbound/polite/test_statuses.py",
    ),
    Fault(
        "a request is cancelled with whoever asked",
        "application:result_of",
        edit(ast.Call, "wait", into=part("args", 0, "elts", 0)),
        "tests/adapters/outbound/polite/test_cancellation.py",
    ),
    Fault(
        "a redirect leads anywhere",
        "adapters.outbound:Url.leads_to",
        edit(ast.IfExp, "is_downgrade", into=part("body")),
        "tests/adapters/outbound/polite/test_redirects.py",
    ),
    Fault(
        "an announcement is acknowledged before it is handled",
        "adapters.queue:Consumer._settlement",
        both(
            edit(ast.If, "handle_announcement", into=after("await self._settle(message.ack())")),
            edit(ast.If, "handle_announcement", into=with_field("body", "return asyncio.sleep(0)")),
        ),
        f"{_CONTRACT}/jobs/test_queue.py -k abandoned",
    ),
    Fault(
        "what a listener leaves undone is lost",
        "adapters.memory:MemoryQueue._handle",
        edit(ast.ExceptHandler, "CancelledError", into=with_field("body", "raise")),
        f"{_CONTRACT}/jobs/test_queue.py -k 'abandoned and embedded'",
    ),
    Fault(
        "503 without `Retry-After`",
        "adapters.http:_RETRY_AFTER_S",
        edit(ast.Dict, into=without("SERVICE_UNAVAILABLE")),
        "tests/adapters/http/protocol/test_problems.py",
    ),
    Fault(
        "an `ETag` that is the same for every role",
        "adapters.http:RecordsEndpoint._begin",
        edit(ast.Tuple, "role", into=without("role")),
        "tests/adapters/http/datasets/test_data_points.py -k another_tag",
    ),
    Fault(
        "a request of which nobody knows what came frees its key",
        "adapters.http:OnceOnly._once",
        edit(ast.Attribute, "release", into=named("abandon")),
        "tests/adapters/http/ingest/test_idempotency.py",
    ),
    Fault(
        "a change has the time of our clock, whatever the one before has",
        "adapters.sql:SqlDataset.next_change",
        edit(ast.Call, "max", into=part("args", 0)),
        f"{_CONTRACT}/ingest/test_store_merge.py -k 'clock_was_set_back and sqlite'",
    ),
    Fault(
        "jobs that kill their workers are taken over together",
        "application:RunJob._ran",
        edit(ast.UnaryOp, "is_suspected", into=code("True")),
        "tests/application/ingest/test_run_job.py",
    ),
    Fault(
        "requests are read ahead of their turn",
        "adapters.http:HeldFlow.resume_reading",
        edit(ast.UnaryOp, "_is_held", into=code("True")),
        "tests/adapters/http/protocol/test_http1.py",
    ),
    Fault(
        "a head may be as large as a client likes",
        "adapters.http:Http1Protocol._take_head",
        compare(ast.Gt, ast.Lt, "left"),
        "tests/adapters/http/protocol/test_http1.py",
    ),
    Fault(
        "all clients share the places to wait in",
        "adapters.http:WaitingRoom.place",
        edit(ast.Call, "client_of", into=code("''")),
        "tests/adapters/http/ingest/test_waiting.py",
    ),
    Fault(
        "a token that GitHub sends back is kept",
        "adapters.outbound:GitHubRepositories._without_token",
        edit(ast.IfExp, into=part("orelse")),
        "tests/adapters/outbound/test_github.py",
    ),
)
