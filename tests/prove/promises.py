"""The promises, each with the proofs that hold it; `docs/promises.md` says the same to users.

The numbers are those of the design; where a ruling changed a promise, it stands here as changed.
"""

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
        "a task that was accepted is run to its end, whatever is killed",
        KILLS,
        "tests/application/jobs/test_worker.py",
    ),
    _promise(
        2,
        "a job has one effect, though it may be run more than once",
        Real("stopped"),
        "tests/adapters/sql/ingest/test_merging.py::"
        "test_a_worker_stopped_past_its_lease_writes_nothing_at_all",
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
        "whoever reads what changed since the last time misses nothing",
        Real("tailing"),
        "tests/contract/ingest/test_store_merge.py::"
        "test_a_change_is_later_than_the_one_before_though_the_clock_was_set_back",
        "tests/contract/tasks/test_tasks.py::"
        "test_a_write_is_later_than_the_one_before_though_the_clock_was_set_back",
    ),
    _promise(
        6,
        "a checkpoint never passes the data it stands for",
        *_SWEEPS,
        f"{UPSTREAM}/test_pages.py",
    ),
    _promise(
        7,
        "no upstream sees more than its limit in any window, whoever asks",
        Real("rate"),
        "tests/contract/politeness/test_budget.py",
    ),
    _promise(
        8,
        "Retry-After binds every process",
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
        "one breaker for all processes, which lets one probe through",
        Real("probes"),
        "tests/contract/politeness/test_budget.py::"
        "test_of_many_that_ask_after_an_open_breaker_one_is_the_probe",
    ),
    _promise(
        11,
        "the same fetch asked for by many at once runs once",
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
        "what was received is kept as it was, and reading it again gives the same",
        "tests/prove/test_replay.py",
    ),
    _promise(
        15,
        "no upstream can exhaust us, or keep us past the deadline",
        Real("gauntlet", needs_servers=False),
    ),
    _promise(
        16,
        "callers who leave do not spoil the connections to upstreams",
        "tests/prove/test_cancelling.py",
    ),
    _promise(
        17,
        "clients who hang up do not spoil the connections to the database",
        Real("aborted"),
        "tests/adapters/sql/engine/test_postgres.py::"
        "test_cancelled_reads_leave_every_connection_fit_for_use",
    ),
    _promise(
        18,
        "a schedule fires once a tick, however many schedulers there are",
        Real("ticks"),
        "tests/contract/jobs/test_schedules.py",
    ),
    _promise(
        19,
        "the status of a job goes forward only, and its end is final",
        KILLS,
        "tests/domain/test_jobs.py",
    ),
    _promise(
        20,
        "what we depend on may die or fall silent; we answer, and recover by ourselves",
        Real("dependencies"),
        Real("bad_network"),
    ),
    _promise(
        21,
        "a slow upstream does not slow the reads",
        Real("starving"),
    ),
    _promise(
        22,
        "on SQLite nobody is told that the database is locked, and nothing acknowledged is lost",
        Real("neighbours", needs_servers=False),
        "tests/adapters/sql/engine/test_sqlite.py::"
        "test_every_writer_has_the_pragmas_that_durability_needs",
    ),
    _promise(
        23,
        "a full disk is an error and no damage",
        Real("full_disk", needs_servers=False),
        "tests/adapters/sql/engine/test_sqlite.py::"
        "test_a_full_disk_is_an_error_and_not_a_damaged_database",
        "tests/adapters/sql/engine/test_postgres_away.py::"
        "test_every_error_of_the_server_is_told_in_the_stores_words",
    ),
    _promise(
        24,
        "passwords cannot be guessed in bulk, and guessing locks nobody else out",
        Real("guesses"),
        "tests/contract/accounts/test_throttling.py",
    ),
    _promise(
        25,
        "a refresh token counts once; a lost answer logs nobody out, a stolen token does",
        Real("refreshing"),
        "tests/contract/accounts/test_accounts.py",
    ),
    _promise(
        26,
        "whoever is locked out is out within five seconds",
        Real("locked_out"),
    ),
    _promise(
        27,
        "every role gets what it may, at every route, and nothing else",
        "tests/adapters/http/protocol/test_access.py",
    ),
    _promise(
        28,
        "requests leave to the hosts that were named, and to no other",
        "tests/prove/test_forbidden.py",
    ),
    _promise(
        29,
        "no input is answered with a 5xx, or with anything the documentation does not name",
        Real("documented", needs_servers=False),
        "tests/adapters/http/protocol/test_hostile_client.py",
        "tests/adapters/http/protocol/test_hostile_sockets.py",
        "tests/adapters/http/tasks/test_hostile_tasks.py",
        "tests/adapters/http/datasets/test_any_question.py",
        "tests/adapters/http/openapi/test_schemathesis.py",
    ),
    _promise(
        30,
        "tasks are made and changed while GitHub fails, and no change is lost",
        Real("github_away"),
    ),
    _promise(
        31,
        "a rolling restart drops no request, and migrations run once",
        Real("rolling"),
    ),
    _promise(
        32,
        "secrets are in no log, no answer and no table",
        Real("canaries"),
    ),
    Promise(
        "SIMULATION",
        "the use cases, on a clock of their own, seed by seed",
        (Program("tests.simulation", ("--seeds", "400")),),
    ),
    Promise(
        "SWEEP",
        "every call of every port fails once, before its effect and after it",
        (Tests("SWEEP", _SWEEPS),),
    ),
    Promise("FAULTS", "each fault put into our code turns a test red", (_FAULTS,)),
    Promise("MUTANTS", "so do small changes of the domain", (Program("tests.prove.mutants"),)),
)
