"""One run of Schemathesis over the whole document, in one role."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import schemathesis
from schemathesis.config._checks import NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.python.asgi import shutdown_lifespans

import tests.fuzz.headers
import tests.fuzz.unsaid  # noqa: F401 - registers its hooks
from domain.dataset import Role
from tests.fuzz.service import Service, bearer

#: The role that tries all edge cases of a list's parameters when time is short: there are over a
#: hundred, and they do not depend on the role.
SHARES: Mapping[str, Role] = {
    "GET /data": Role.USER,
    "GET /data/posts": Role.ANYONE,
    "GET /data/crypto_assets": Role.ANYONE,
    "GET /data/data_points": Role.USER,
    "GET /tasks": Role.ADMIN,
}

#: The refusals of data that the document does not allow; also because it is too large.
_REJECTED = [*NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES, "412", "413", "414"]


class Findings(NamedTuple):
    """The faults found, as texts with a request that shows them, and counts of the answers."""

    wrong: list[str]
    answers: Counter[tuple[str, str, int]]
    documented: set[str]

    @property
    def asked(self) -> set[str]:
        """Return the operations that were requested at least once."""
        return {operation for operation, _, _ in self.answers}


def hold(role: Role, examples: int, minutes: int | None = None, seed: int = 1) -> Findings:
    """Check the service against its document; with `minutes`, for that time and at random."""
    return hold_app(Service(), _config(role, examples, minutes, seed))


def hold_app(app: Any, config: schemathesis.Config | None = None) -> Findings:
    """Check an ASGI application against its own document, and close it."""
    try:
        config = config or _config(Role.ANYONE, examples=1)
        return _findings(schemathesis.openapi.from_asgi("/openapi.json", app, config=config))
    finally:
        shutdown_lifespans()


def _findings(schema: Any) -> Findings:
    """Run all phases over a document and return each fault once."""
    wrong: dict[Any, str] = {}
    answers: Counter[tuple[str, str, int]] = Counter()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            answers.update(_answers(event.recorder))
            for kind, text in _failures(event.recorder):
                wrong.setdefault(kind, text)
        elif isinstance(event, events.NonFatalError):
            wrong.setdefault(event.info.format(), f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    operations = {result.ok().label for result in schema.get_all_operations()}
    return Findings(list(wrong.values()), answers, operations)


def _config(
    role: Role, examples: int, minutes: int | None = None, seed: int = 1
) -> schemathesis.Config:
    config: dict[str, Any] = {
        "seed": seed,
        "headers": bearer(role),
        "auth": {"auto-signup": False},
        "cache": {"enabled": False},
        "continue-on-failure": True,
        "checks": {"negative_data_rejection": {"expected-statuses": _REJECTED}},
        "generation": {
            "max-examples": examples,
            "deterministic": minutes is None,
            "database": "none",
        },
        # The request that shows a fault has to be complete.
        "output": {"sanitization": {"enabled": False}},
        # A slow machine is no fault of the application.
        "suppress-health-check": ["too_slow"],
    }
    if minutes is None:
        others = [name for name, whose in SHARES.items() if whose is not role]
        config["operations"] = [_without_edges(name) for name in others]
    else:
        config["max-time"] = minutes * 60
    return schemathesis.Config.from_dict(config)


def _without_edges(operation: str) -> dict[str, Any]:
    return {"include-name": operation, "phases": {"coverage": {"enabled": False}}}


def _answers(recorder: ScenarioRecorder) -> Iterator[tuple[str, str, int]]:
    for case_id, interaction in recorder.interactions.items():
        case = recorder.cases[case_id].value
        if interaction.response is not None:
            yield case.operation.label, case.method, int(interaction.response.status_code)


def _failures(recorder: ScenarioRecorder) -> Iterator[tuple[tuple[str, ...], str]]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.status is Status.FAILURE and check.failure_info is not None:
                failure = check.failure_info.failure
                what = f"{recorder.label}: {failure.title}"
                text = f"{what}\n{failure.message}\n{check.failure_info.code_sample}"
                yield (what, failure.message.split("\n")[0]), text
