"""The promises, each with the proofs that hold it; `docs/promises.md` says the same to users.

The numbers are those of the design; where a ruling changed a promise, it stands here as changed.
"""

import shutil

import msgspec

from tests.prove.proofs import ROOT, Program, Proof, Real, Tests

KILLS, UPSTREAM = Real("kills"), "tests/adapters/outbound"

_FAULTS = Program("tests.prove.faults")
_SWEEPS = tuple(
    sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/application/test_every_*.py"))
)


class Promise(msgspec.Struct, frozen=True):
    """One promise: its number, what it says, and what it is proven by."""

    name: str
    says: str
    proofs: tuple[Proof, ...]


def _promise(number: int, says: str, *proofs: "Proof | str") -> Promise:
    """A promise; names of tests among its proofs are run together."""
    name = f"P{number}"
    nodes = tuple(proof for proof in proofs if isinstance(proof, str))
    others = [proof for proof in proofs if not isinstance(proof, str)]
    return Promise(name, says, (*others, *([Tests(name, nodes)] if nodes else [])))


PROMISES: tuple[Promise, ...] = (
    _promise(
        1,
        "an accepted job runs to its end, whichever process is killed",
        KILLS,
        "tests/application/jobs/test_worker.py",
    ),
    _promise(
        2,
        "a job has one effect, though it may be run more than once",
        Real("stopped"),
        "tests/adapters/sql/ingest/test_merging.py::"
        "test_a_worker_that_lost_its_lease_writes_nothing",
        "tests/contract/jobs/test_jobs.py",
    ),
    _promise(
        3,
        "a job that kills its workers is given up, and keeps no other from running",
        Real("poison"),
    ),
    _promise(
        4,
        "a page never shows half a fetch",
        KILLS,
        "tests/e2e/test_kill.py",
    ),
    _promise(
        5,
        "a client that reads the changes since its last read misses none",
        Real("tailing"),
        "tests/contract/ingest/test_store_merge.py::"
        "test_a_change_is_later_than_the_one_before_though_the_clock_was_set_back",
        "tests/contract/tasks/test_tasks.py::"
        "test_a_write_is_later_than_the_one_before_though_the_clock_was_set_back",
    ),
    _promise(
        6,
        "a checkpoint is never ahead of its records",
        *_SWEEPS,
        f"{UPSTREAM}/test_pages.py",
    ),
    _promise(
        7,
        "no upstream gets more than its limit in any window",
        Real("rate"),
        "tests/contract/politeness/test_budget.py",
    ),
    _promise(
        8,
        "every process respects Retry-After",
        Real("retry_after"),
        f"{UPSTREAM}/test_limits.py",
    ),
    _promise(
        9,
        "retries never amplify an outage",
        Real("outage"),
        f"{UPSTREAM}/test_statuses.py",
    ),
    _promise(
        10,
        "all processes share one breaker, which lets one probe through",
        Real("probes"),
        "tests/contract/politeness/test_budget.py::"
        "test_of_many_that_ask_after_an_open_breaker_one_is_the_probe",
    ),
    _promise(
        11,
        "a fetch requested by many callers at once runs once",
        Real("duplicates"),
    ),
    _promise(
        12,
        "an Idempotency-Key has one effect and one answer",
        Real("idempotent"),
        "tests/contract/jobs/test_idempotency.py",
    ),
    _promise(
        13,
        "a bad record never loses a good one, and every record is accounted for",
        "tests/prove/test_records.py",
    ),
    _promise(
        14,
        "payloads are stored unchanged, and reprocessing them gives the same records",
        "tests/prove/test_replay.py",
    ),
    _promise(
        15,
        "no upstream can exhaust memory, or delay a fetch past the deadline",
        Real("gauntlet", needs_servers=False),
    ),
    _promise(
        16,
        "callers that disconnect do not break the connections to upstreams",
        "tests/prove/test_cancelling.py",
    ),
    _promise(
        17,
        "clients that disconnect do not break the connections to the database",
        Real("aborted"),
        "tests/adapters/sql/engine/test_postgres.py::"
        "test_cancelled_reads_leave_every_connection_usable",
    ),
    _promise(
        18,
        "a schedule fires once a tick, however many schedulers there are",
        Real("ticks"),
        "tests/contract/jobs/test_schedules.py",
    ),
    _promise(
        19,
        "the status of a job only moves forward, and its end is final",
        KILLS,
        "tests/domain/test_jobs.py",
    ),
    _promise(
        20,
        "a dependency may die or hang; requests get a response, and recovery is automatic",
        Real("dependencies"),
        Real("bad_network"),
    ),
    _promise(
        21,
        "a slow upstream does not slow down reads",
        Real("starving"),
    ),
    _promise(
        22,
        "on SQLite no request meets a locked database, and no acknowledged write is lost",
        Real("neighbours", needs_servers=False),
        "tests/adapters/sql/engine/test_sqlite.py::"
        "test_every_writer_has_the_pragmas_that_durability_needs",
    ),
    _promise(
        23,
        "a full disk causes an error and no damage",
        Real("full_disk", needs_servers=False),
        "tests/adapters/sql/engine/test_sqlite.py::"
        "test_a_full_disk_is_an_error_and_not_a_damaged_database",
        "tests/adapters/sql/engine/test_postgres_away.py::"
        "test_every_error_of_the_server_becomes_a_store_error",
    ),
    _promise(
        24,
        "passwords cannot be guessed in bulk, and guessing does not lock the owner out",
        Real("guesses"),
        "tests/contract/accounts/test_throttling.py",
    ),
    _promise(
        25,
        "a refresh token is valid once; a lost response keeps the session, a stolen token ends it",
        Real("refreshing"),
        "tests/contract/accounts/test_accounts.py",
    ),
    _promise(
        26,
        "the sessions and tokens of a disabled user, or an old password, end within five seconds",
        Real("locked_out"),
    ),
    _promise(
        27,
        "every role can do exactly what it may at every route",
        "tests/adapters/http/protocol/test_access.py",
    ),
    _promise(
        28,
        "requests are sent to the configured hosts, and to no other",
        "tests/prove/test_forbidden.py",
    ),
    _promise(
        29,
        "no input leads to a 5xx, or to an undocumented response",
        Real("documented", needs_servers=False),
        "tests/adapters/http/protocol/test_hostile_client.py",
        "tests/adapters/http/protocol/test_hostile_sockets.py",
        "tests/adapters/http/tasks/test_hostile_tasks.py",
        "tests/adapters/http/datasets/test_any_question.py",
        "tests/adapters/http/openapi/test_schemathesis.py",
    ),
    _promise(
        30,
        "tasks are created and changed while GitHub fails, and no change is lost",
        Real("github_away"),
    ),
    _promise(
        31,
        "a rolling restart drops no request, and migrations run once",
        Real("rolling"),
    ),
    _promise(
        32,
        "secrets are in no log, no response and no table",
        Real("canaries"),
    ),
    _promise(
        33,
        "no client can exhaust memory, or keep others waiting",
        Real("floods", needs_servers=False),
        Real("large_pages", needs_servers=False),
        "tests/adapters/http/protocol/test_http1.py",
        "tests/adapters/http/ingest/test_waiting.py",
    ),
    _promise(
        34,
        "no page of another site can change anything, or read what is local",
        "tests/adapters/http/protocol/test_authentication_middleware.py",
        "tests/entrypoints/wiring/test_http.py",
    ),
    _promise(
        35,
        "metrics are sound, show strangers no name, and cost a ready page almost nothing",
        Real("measured", is_there=shutil.which("promtool") is not None),
        "tests/adapters/http/operations/test_metrics.py",
        "tests/docs/test_observe.py",
    ),
    _promise(
        36,
        "every write counts towards a limit, and what is created has a largest number",
        "tests/adapters/http/protocol/test_access.py::"
        "test_every_route_that_writes_has_a_limit_for_each_client",
        "tests/contract/tasks/test_tasks.py::"
        "test_of_many_who_add_tasks_at_once_none_takes_a_place_too_many",
        "tests/contract/accounts/test_accounts.py::"
        "test_of_many_who_sign_up_at_once_no_more_are_kept_than_there_may_be",
        "tests/contract/accounts/test_accounts.py::"
        "test_of_many_tokens_added_at_once_none_is_one_too_many",
    ),
    _promise(
        37,
        "a trace leads from a request through its job in another process to the upstream",
        Real("traced"),
        "tests/contract/system/test_tracers.py",
        "tests/entrypoints/wiring/test_operations.py",
    ),
    _promise(
        38,
        "a clock that is set back stops nothing, and revives no token",
        Real("clock_set", needs_servers=False),
        "tests/contract/system/test_clock_set.py",
    ),
    _promise(
        39,
        "after a restore nothing comes back to life that was ended or revoked",
        "tests/contract/operations/test_restoration.py",
        "tests/entrypoints/cli/test_user_commands.py::"
        "test_after_a_restore_nothing_that_was_revoked_comes_back",
    ),
    _promise(
        40,
        "whatever lets somebody in, or is refused, is a line of the security log without secrets",
        "tests/application/accounts/test_users.py",
        "tests/adapters/http/accounts/test_users.py",
        "tests/adapters/system/test_security_log.py",
        "tests/docs/test_watch_logins.py",
    ),
    _promise(
        41,
        "what is damaged, gone or unfit of a database is said, and stops nothing else",
        "tests/adapters/sql/engine/test_sqlite.py::test_a_file_without_its_name_is_not_written_to",
        "tests/adapters/sql/engine/test_sqlite.py::"
        "test_a_write_into_a_file_that_loses_its_name_meanwhile_is_not_acknowledged",
        "tests/adapters/sql/engine/test_pooler.py",
        "tests/adapters/sql/jobs/test_damaged_rows.py",
        "tests/adapters/sql/schema/test_revisions.py",
        "tests/application/ingest/test_rebuild.py",
        "tests/contract/ingest/test_replay.py::test_a_damaged_payload_is_marked_and_hides_no_other",
    ),
    Promise(
        "SIMULATION",
        "the use cases hold their promises in a simulation, for every seed",
        (Program("tests.simulation", ("--seeds", "400")),),
    ),
    Promise(
        "SWEEP",
        "every call of every port fails once, before its effect and after it",
        (Tests("SWEEP", _SWEEPS),),
    ),
    Promise(
        "CLIENTS",
        "data frames and generated clients read, page, filter, export and log in",
        (Real("generated", needs_servers=False, is_there=shutil.which("npm") is not None),),
    ),
    Promise("FAULTS", "each fault injected into the code fails a test", (_FAULTS,)),
    Promise(
        "MUTANTS", "most small changes of the domain fail a test", (Program("tests.prove.mutants"),)
    ),
)
