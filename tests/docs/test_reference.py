"""The reference is complete, and names nothing that does not exist."""

import ast
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

import application.ports
from adapters.http.datasets.query_string import CONTROLS
from adapters.http.ingest.schemas import FetchAnswer
from adapters.http.openapi.pages import PREFIXES
from adapters.http.operations.health import HealthReport
from adapters.http.operations.stats import SourceStats, StatsSummary
from adapters.http.protocol.problems import PROBLEM_CODES, Problem
from application.operations.health import SourceHealth
from domain.alerts import Alert, AlertEvent, Kind
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.fields import FieldType
from domain.filters import Operator, operators_of
from domain.jobs import JobStatus
from domain.reports import Counts, Failure, Outcome, SourceReport
from domain.repositories import Enrichment
from domain.tasks import TASKS
from entrypoints.config.loading import load
from entrypoints.config.setting_readers import Setting
from entrypoints.config.settings import PREFIX, SETTINGS
from entrypoints.wiring.datasets import SHIPPED
from tests.docs.generate import (
    COMMANDS_PAGE,
    EXAMPLE,
    SETTINGS_PAGE,
    commands_page,
    example,
    generated,
    helps,
    settings_page,
)
from tests.docs.markdown import (
    DOCS,
    REFERENCE,
    ROOT,
    blocks,
    codes,
    headings,
    named,
    rows,
    section,
)
from tests.strategies import SAMPLES

ALERTS = REFERENCE / "alerts.md"
API = REFERENCE / "http-api.md"
FILTERS = REFERENCE / "filters.md"
PROBLEMS = REFERENCE / "problems.md"
DATASETS = [line.dataset for line in SHIPPED]
REPORT = REFERENCE / "report.md"


def first_codes(text: str) -> list[str]:
    """Return the first code in each row of the tables in a text."""
    return [codes(row[0])[0] for row in rows(text)]


def names(record: type[Any]) -> list[str]:
    """Return the fields of a record as they are spelled in JSON."""
    return [field.encode_name for field in msgspec.structs.fields(record)]


# ---------------------------------------------------------------- generated pages


@pytest.mark.parametrize("page", [EXAMPLE, SETTINGS_PAGE, COMMANDS_PAGE], ids=named)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == generated()[page], "run `make docs`"


def test_a_new_setting_appears_in_the_example_and_on_the_page() -> None:
    """A setting is declared once; the rest is generated from it."""
    new = Setting(str, "Isar", "Where [levels](x.md) come from. " + "More. " * 20, None)
    settings = {"HOST": SETTINGS["HOST"], "RIVERS_URL": new}

    entry = example(settings).split("\n\n")[-1]
    page = settings_page("| name | default | meaning |\n|---|---|---|\n| old | | |\n", settings)

    *meaning, value = entry.splitlines()
    assert " ".join(line.removeprefix("# ") for line in meaning) == (
        new.meaning.replace("[levels](x.md)", "levels").strip()
    )
    assert max(map(len, meaning)) <= 100
    assert value == "# CATCHMENT_RIVERS_URL=Isar"
    assert [[*codes(row[0]), *codes(row[1]), row[2]] for row in rows(page)] == [
        ["CATCHMENT_HOST", "127.0.0.1", SETTINGS["HOST"].meaning],
        ["CATCHMENT_RIVERS_URL", "Isar", new.meaning.strip()],
    ]


def test_a_new_command_gets_a_section() -> None:
    page = commands_page("# Commands\n", {"catchment dig": "Usage: ...\n"})

    assert page == (
        "# Commands\n\n## `catchment dig`\n\n```text\n$ catchment dig --help\nUsage: ...\n```\n"
    )


# ---------------------------------------------------------------- routes


def generic(path: str) -> str:
    """Return a path of one dataset as the path of any."""
    names = "|".join(dataset.name for dataset in DATASETS)
    return re.sub(
        rf"^/data/({names})(/.*)?$", lambda m: "/data/{dataset}" + "/{key}" * bool(m[2]), path
    )


def documented_routes() -> set[str]:
    return {code for heading in headings(API) for code in codes(heading) if " /" in code}


async def test_every_route_is_documented_and_every_documented_route_exists(
    openapi: dict[str, Any],
) -> None:
    served = {
        f"{method.upper()} {generic(path)}"
        for path, item in openapi["paths"].items()
        for method in item
    }
    pages = {f"GET {prefix}" for prefix in (*PREFIXES, "/docs/problems")}

    assert documented_routes() == served | pages


def documented_parameters() -> dict[str, list[str]]:
    """Return the parameters of each route that has a table of them."""
    tables = {heading: section(API, heading) for heading in headings(API)}
    return {
        codes(heading)[0]: first_codes(text)
        for heading, text in tables.items()
        if "| parameter |" in text
    }


async def test_every_parameter_of_the_other_routes_is_documented(
    openapi: dict[str, Any],
) -> None:
    served = {
        f"{method.upper()} {path}": [
            parameter["name"]
            for parameter in operation.get("parameters", [])
            if parameter["in"] in ("query", "header")
        ]
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
        # Parameters derived from the fields of a dataset are documented in general.
        if not path.startswith("/data") and (path, method) != ("/tasks", "get")
    }

    # The parameters of the default dataset are documented with those of all.
    assert served.pop("POST /fetch") == served["POST /fetch/{dataset}"]
    assert documented_parameters() == {route: names for route, names in served.items() if names}


def test_every_part_of_the_health_answer_is_documented() -> None:
    documented = first_codes(section(API, "`GET /health`"))

    assert documented == [*names(HealthReport), *names(SourceHealth)]


def test_every_part_of_the_stats_is_documented() -> None:
    documented = first_codes(section(API, "`GET /stats`"))

    assert documented == [*names(StatsSummary), *names(SourceStats)]


def test_every_part_of_an_alert_is_documented() -> None:
    documented = first_codes(ALERTS.read_text(encoding="utf-8").split("## Once")[0])

    assert documented == [*names(Alert), *AlertEvent, *Kind]


def test_every_field_of_a_task_is_documented() -> None:
    documented = first_codes(section(API, "Tasks").partition("| `enrichment` | meaning |")[0])

    assert documented == list(TASKS.fields)


def test_every_state_of_an_enrichment_is_documented() -> None:
    documented = (
        section(API, "Tasks").partition("| `enrichment` | meaning |")[2].partition("\n\n")[0]
    )

    assert codes(documented)[:1] == ["ok"]
    assert {*codes(documented)} >= {*Enrichment}


# ---------------------------------------------------------------- filters


def test_every_operator_is_documented() -> None:
    assert first_codes(section(FILTERS, "Operators")) == [operator.value for operator in Operator]


def test_every_type_is_documented_with_its_operators() -> None:
    documented = {codes(row[0])[0]: codes(row[2]) for row in rows(section(FILTERS, "Types"))}
    fields = {field.type: field for field in SAMPLES.fields.values() if not field.nullable}
    fields |= {f.type: f for f in SAMPLES.fields.values() if f.type not in fields}

    assert set(documented) == {kind.value for kind in FieldType}
    for kind, field in fields.items():
        assert documented[kind.value] == [
            operator.value for operator in operators_of(field) if operator is not Operator.ISNULL
        ]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_field_of_a_dataset_is_documented_with_its_type(dataset: Dataset[Any]) -> None:
    page = FILTERS if dataset is POSTS else REFERENCE / "datasets.md"
    fields = rows(section(page, f"Fields of {dataset.name}"))

    documented = {codes(row[0])[0]: codes(row[1])[0] for row in fields}
    assert documented == {field.name: field.type.value for field in dataset.fields.values()}


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_the_key_and_every_index_of_a_dataset_are_documented(dataset: Dataset[Any]) -> None:
    page = FILTERS if dataset is POSTS else REFERENCE / "datasets.md"
    fields = {codes(row[0])[0]: row[2] for row in rows(section(page, f"Fields of {dataset.name}"))}

    led_by = {index[-1] for index in dataset.indexes} | {"_changed_at"}
    assert (
        tuple(name for name, documented in fields.items() if "the key" in documented) == dataset.key
    )
    assert {name for name, documented in fields.items() if "indexed" in documented} == led_by


def test_every_control_word_is_documented() -> None:
    assert first_codes(section(FILTERS, "Control words")) == list(CONTROLS)


# ---------------------------------------------------------------- settings


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {
        codes(row[0])[0]: (codes(row[1]) or [""])[0]
        for row in rows(section(REFERENCE / "settings.md", "All settings"))
    }

    assert documented == {PREFIX + name: setting.default for name, setting in SETTINGS.items()}


def test_the_example_can_be_used_as_it_is_and_with_every_line_in_force() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line[2:].split("=", 1) for line in lines if line.startswith(f"# {PREFIX}"))

    assert load(given) == load({})


def variables(file: str, pattern: str) -> dict[str, str]:
    """Return the settings that a Docker file mentions, with the values it gives them."""
    return dict(re.findall(pattern, (ROOT / file).read_text(encoding="utf-8")))


def test_every_setting_that_compose_takes_is_documented_with_its_default() -> None:
    documented = {
        codes(row[0])[0]: (codes(row[1]) or [""])[0]
        for row in rows(section(DOCS / "how-to" / "run-in-production.md", "Settings"))
    }

    assert documented == variables("docker-compose.yml", rf"\${{({PREFIX}\w+):?-([^}}]*)}}")
    assert {name.removeprefix(PREFIX) for name in documented} <= {*SETTINGS}


def test_every_setting_of_the_image_is_documented() -> None:
    text = section(DOCS / "how-to" / "run-with-docker.md", "Settings")
    documented = dict(re.findall(rf"`({PREFIX}\w+)` to\s+`([^`]*)`", text))

    assert documented == variables("Dockerfile", rf"\b({PREFIX}\w+)=(\S+)")
    assert load(documented)


# ---------------------------------------------------------------- commands


def test_every_command_is_documented_with_its_help() -> None:
    documented = dict(
        block.text.split("\n", 1) for block in blocks(REFERENCE / "commands.md", "text")
    )

    assert documented == {f"$ {command} --help": text for command, text in helps().items()}


# ---------------------------------------------------------------- problems and reports


def raised_codes() -> set[str]:
    """Return the error codes of sources and fetches, read from the code."""
    found = set()
    files = [*(ROOT / "adapters" / "outbound").rglob("*.py"), *(ROOT / "application").rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= {value for value in [getattr(node.value, "value", None)] if value}
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("ailure",)):
                found |= {getattr(argument, "value", None) for argument in node.args[:1]}
    return {code for code in found if isinstance(code, str)}


def documented_problems() -> dict[str, str]:
    tables = ("The request", "The service", "Source failures")
    return {codes(row[0])[0]: row[1] for table in tables for row in rows(section(PROBLEMS, table))}


def test_every_problem_code_is_documented_with_its_status() -> None:
    assert documented_problems() == {c: str(status) for c, (status, _) in PROBLEM_CODES.items()}


def test_every_code_a_fetch_may_fail_with_is_a_problem_code() -> None:
    assert raised_codes() - {*PROBLEM_CODES} == set()


def test_every_field_of_a_problem_is_documented() -> None:
    [first, *_] = PROBLEMS.read_text(encoding="utf-8").split("\n## ")

    assert first_codes(first) == names(Problem)


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        ("The job", FetchAnswer),
        ("One source", SourceReport),
        ("Counts", Counts),
        ("Error", Failure),
    ],
)
def test_every_field_of_a_report_is_documented(heading: str, record: type[Any]) -> None:
    assert first_codes(section(REPORT, heading)) == names(record)


@pytest.mark.parametrize(
    ("heading", "values"), [("Status of a job", JobStatus), ("Outcome", Outcome)]
)
def test_every_word_of_a_report_is_documented(heading: str, values: Any) -> None:
    assert first_codes(section(REPORT, heading)) == [value.value for value in values]


# ---------------------------------------------------------------- ports


def test_every_port_is_in_the_architecture() -> None:
    ports = {
        name
        for module in pkgutil.iter_modules(application.ports.__path__, "application.ports.")
        for name, found in inspect.getmembers(import_module(module.name), inspect.isclass)
        if found.__module__ == module.name and getattr(found, "_is_protocol", False)
    }

    assert set(first_codes(section(DOCS / "architecture.md", "Ports"))) == ports
