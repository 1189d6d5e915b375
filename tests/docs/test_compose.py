"""The compose file: services, their rights, and no secrets in it."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from entrypoints.cli.main import main
from entrypoints.config.loading import environment, load
from entrypoints.config.secrets import write
from entrypoints.config.settings import PREFIX, SETTINGS
from tests.docs.markdown import DOCS, ROOT, codes, rows, section

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCKED = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = sorted(n for n, service in SERVICES.items() if service["image"].startswith("catchment"))
PROGRAMS = ("api", "worker", "scheduler")
PRODUCTION = DOCS / "how-to" / "run-in-production.md"


def mounts(service: str) -> dict[str, tuple[str, bool]]:
    """Return the mount point of each volume of a service, and whether it is read-only."""
    found = {}
    for text in SERVICES[service].get("volumes", []):
        name, path, *options = text.split(":")
        found[name] = path, options == ["ro"]
    return found


def conditions(service: str) -> dict[str, str]:
    """Return the conditions on other services before this one starts."""
    wanted = SERVICES[service].get("depends_on", {})
    return {name: how["condition"] for name, how in wanted.items()}


# ---------------------------------------------------------------- services


def test_every_service_is_in_the_how_to() -> None:
    documented = {codes(row[0])[0]: row[1] for row in rows(section(PRODUCTION, "With compose"))}
    behind = {
        name: [profile]
        for name, text in documented.items()
        for profile in re.findall(r"--profile (\w+)", text)
    }

    assert {*documented} == {*SERVICES}
    assert behind == {n: s["profiles"] for n, s in SERVICES.items() if "profiles" in s}


@pytest.mark.parametrize("service", OURS)
def test_a_container_runs_an_existing_command(service: str) -> None:
    default = re.findall(r'^CMD \["catchment", "(\w+)"\]$', DOCKERFILE, re.MULTILINE)
    given = SERVICES[service].get("command", ["catchment", *default])

    if given[0] == "catchment":
        command: click.Command = main
        for word in given[1:]:
            command = (
                command.commands.get(word, command) if isinstance(command, click.Group) else command
            )
        assert not isinstance(command, click.Group), given
    else:
        assert service == "test"


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_program_waits_for_what_it_needs_and_comes_back(service: str) -> None:
    assert conditions(service) == {
        "secrets": "service_completed_successfully",
        "postgres": "service_healthy",
        "rabbitmq": "service_healthy",
    }
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", sorted({*SERVICES} - {"secrets", "test"}))
def test_every_long_running_service_has_a_health_check(service: str) -> None:
    own = "healthcheck" in SERVICES[service]

    assert own or (service == "api" and "\nHEALTHCHECK " in DOCKERFILE)


def test_an_image_of_ours_is_built_here_and_taken_from_nowhere_else() -> None:
    built = {SERVICES[name]["image"] for name in OURS if "build" in SERVICES[name]}
    used = [SERVICES[name] for name in OURS if "build" not in SERVICES[name]]

    assert built == {"catchment", "catchment-test"}
    assert all(service["pull_policy"] == "never" for service in used)


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_program_is_given_the_time_it_may_take_to_stop(service: str) -> None:
    assert int(SERVICES[service]["stop_grace_period"].removesuffix("s")) >= 40


def test_the_settings_in_it_are_settings() -> None:
    given = SERVICES["api"]["environment"]

    assert {name.removeprefix(PREFIX) for name in given} <= {*SETTINGS}
    for service in PROGRAMS:
        assert SERVICES[service]["environment"] == given


# ---------------------------------------------------------------- rights


def test_only_the_api_can_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert not [
        name
        for name, service in SERVICES.items()
        if "network_mode" in service and name != "secrets"
    ]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_container_has_limits_of_memory_processes_and_logs(service: str) -> None:
    given = SERVICES[service]

    assert re.fullmatch(r"[1-4]g", given["mem_limit"])
    assert 0 < given["pids_limit"] <= 1024
    assert {*given["logging"]["options"]} == {"max-size", "max-file"}


def test_the_port_is_open_to_this_machine_alone_unless_said_otherwise() -> None:
    [port] = SERVICES["api"]["ports"]

    assert port.startswith("${API_PORTS:-127.0.0.1:")


@pytest.mark.parametrize("service", OURS)
def test_a_container_of_ours_can_do_little(service: str) -> None:
    given = SERVICES[service]

    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in given
    assert "user" not in given  # the user of the image has no rights


def test_the_image_runs_without_rights_and_installs_only_what_is_locked() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    installed = re.findall(r"pip install (.*)", DOCKERFILE)

    assert "\nUSER catchment\n" in stages[-1]
    assert all(what.startswith(("--require-hashes", "--no-deps")) for what in installed)


def test_the_image_has_neither_what_builds_nor_what_only_tests_need() -> None:
    *_, lean, last = DOCKERFILE.split("\nFROM ")
    removed = set(lean.partition("pip uninstall -y")[2].replace("\\", " ").split())
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCKED, re.MULTILINE))

    assert {"pip", "faker", "polyfactory", "hatchling", "editables"} <= removed
    assert removed - {"pip", "setuptools"} <= locked
    assert "COPY --from=lean /opt/catchment" in last
    assert "/usr/local/bin/pip*" in last


def test_the_service_needs_nothing_of_what_the_image_leaves_out(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('faker', 'polyfactory', 'hatchling', 'pip', 'setuptools'):\n"
        "    sys.modules[name] = None\n"
        "from entrypoints.config.loading import load\n"
        "from entrypoints.processes import api, scheduler, worker\n"
        "from entrypoints.wiring.container import Container\n"
        "container = Container(settings=load({}), database_id='x')\n"
        "container.app(), container.worker(), container.scheduler()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


# ---------------------------------------------------------------- secrets


def test_no_secret_is_written_in_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8") + DOCKERFILE
    given = [pair for name in SERVICES for pair in SERVICES[name].get("environment", {}).items()]

    assert not re.findall(r"://[^/\s]+@", text)
    assert not [
        n for n, _ in given if re.search(r"PASSWORD|SECRET|TOKEN", n) and not n.endswith("_FILE")
    ]


def test_every_volume_is_declared_and_used_and_secrets_are_only_read() -> None:
    used = {name for service in SERVICES for name in mounts(service)}
    written = {
        (service, name)
        for service in SERVICES
        for name, (_, only_read) in mounts(service).items()
        if name.endswith("-secrets") and not only_read
    }

    assert used == {*COMPOSE["volumes"]}
    assert written == {("secrets", name) for name in used if name.endswith("-secrets")}


def test_each_service_finds_the_secrets_that_were_written_for_it(tmp_path: Path) -> None:
    write(tmp_path)
    root = SERVICES["secrets"]["command"][-1]
    folders = {
        n: tmp_path / PurePosixPath(p).relative_to(root) for n, (p, _) in mounts("secrets").items()
    }

    def found(service: str, path: str) -> Path:
        """Return the file that a service sees at a path."""
        for name, (mounted, _) in mounts(service).items():
            if PurePosixPath(path).is_relative_to(mounted):
                return folders[name] / PurePosixPath(path).relative_to(mounted)
        raise AssertionError(f"{service} has no volume at {path}")

    password = found("postgres", SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"])
    broker = dict(
        line.split(" = ")
        for file in found("rabbitmq", "/etc/rabbitmq/conf.d").glob("*.conf")
        for line in file.read_text().splitlines()
    )
    for service in PROGRAMS:
        file = found(service, f"{SERVICES[service]['working_dir']}/.env")
        given = {n: v for n, v in environment(file).items() if n.startswith(PREFIX)}
        settings = load(given)
        database, queue = urlsplit(settings.database_url), urlsplit(settings.broker_url)
        owner = SERVICES["postgres"]["environment"]
        assert {database.hostname, queue.hostname} <= {*SERVICES}
        assert database.password == password.read_text()
        assert (database.username, database.path) == (
            owner["POSTGRES_USER"],
            f"/{owner['POSTGRES_DB']}",
        )
        assert (queue.username, queue.password) == (broker["default_user"], broker["default_pass"])
        assert settings.secret_key


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    write(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    write(tmp_path)

    assert {file: file.read_bytes() for file in before} == before
