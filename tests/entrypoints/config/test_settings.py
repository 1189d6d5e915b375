"""Settings: their parsed values, and the errors of invalid ones."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.politeness import Cadence, Rate
from domain.retention import RetainedKind
from domain.users import SignupRules
from entrypoints.config.loading import check_names, environment, load, unknown_names, wide_networks
from entrypoints.config.redaction import redacted, without_password
from entrypoints.config.secret_key import secret_of
from entrypoints.config.settings import SETTINGS, InvalidSetting, Settings, host_of
from entrypoints.config.units import PerDataset


def test_the_defaults_are_those_the_documentation_promises() -> None:
    settings = load({})

    assert settings.database_file == Path("var/catchment.db")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.min_fetch_interval.of("posts") == timedelta(seconds=60)
    assert settings.fetch_every.of("posts") == timedelta(minutes=15)
    assert settings.stale_after.of("posts") is None
    assert settings.fetch_deadline == timedelta(seconds=60)
    assert settings.max_body == (2**20, 20 * 2**20)
    assert settings.posts_url == "https://jsonplaceholder.typicode.com/posts"
    assert settings.retention_policy.ages == {
        RetainedKind.QUARANTINE: timedelta(days=90),
        RetainedKind.PAYLOADS: timedelta(days=30),
        RetainedKind.JOBS: timedelta(days=7),
        RetainedKind.KEYS: timedelta(hours=24),
        RetainedKind.SESSIONS: timedelta(days=1),
        RetainedKind.TOKENS: timedelta(days=1),
        RetainedKind.GUESSES: timedelta(days=1),
        RetainedKind.CLIENTS: timedelta(hours=1),
    }
    assert settings.alert_url == ""


def test_a_value_can_differ_from_one_dataset_to_the_next() -> None:
    settings = load({"CATCHMENT_MIN_FETCH_INTERVAL": "60s,posts=0s"})

    assert settings.min_fetch_interval == PerDataset(timedelta(seconds=60), {"posts": timedelta(0)})


def test_a_limit_that_is_not_named_is_the_usual_one() -> None:
    limits = load({"CATCHMENT_CLIENT_LIMITS": "fetch=5/1h"}).client_limits

    assert limits == {
        "fetch": Rate(5, 3600),
        "login": Rate(30, 60),
        "signup": Rate(200, 86_400),
        "sessions": Rate(300, 60),
        "tasks": Rate(300, 60),
    }


@pytest.mark.parametrize(
    ("signup", "require_login", "is_open"),
    [
        ("", "false", True),
        ("", "true", False),
        ("open", "true", True),
        ("closed", "false", False),
    ],
)
def test_signing_up_is_closed_where_a_login_is_required_unless_a_setting_says_otherwise(
    signup: str, require_login: str, is_open: bool
) -> None:
    given = {"CATCHMENT_SIGNUP": signup, "CATCHMENT_REQUIRE_LOGIN": require_login}

    assert load(given).signup_rules == SignupRules(is_open, 10_000)


def test_a_cadence_is_put_together_for_each_dataset() -> None:
    settings = load({"CATCHMENT_STALE_AFTER": "1d,posts=5m", "CATCHMENT_FETCH_EVERY": "1h"})

    every, interval = timedelta(hours=1), timedelta(seconds=60)
    assert settings.cadence("posts") == Cadence(
        interval=interval, every=every, stale_after=timedelta(minutes=5)
    )
    assert settings.cadence("others").stale_after == timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("SECRET_KEY", "sesame", "(set)"),
        ("SECRET_KEY", "", "(generated next to the database)"),
        ("GITHUB_TOKEN", "ghp_sesame", "(set)"),
        ("ADMIN_PASSWORD", "sesame", "(set)"),
        ("ALERT_URL", "https://hooks.example:81/sesame?key=sesame", "https://hooks.example:81/..."),
        ("ALERT_URL", "", ""),
        ("DATABASE_URL", "postgresql://us:sesame@db/ours", "postgresql://us:***@db/ours"),
        ("POSTS_URL", "https://a.example/posts?key=sesame", "https://a.example/posts?..."),
    ],
)
def test_a_setting_is_shown_without_what_is_secret_in_it(name: str, text: str, told: str) -> None:
    assert redacted(name, text) == told


def test_off_switches_the_schedule_off() -> None:
    assert load({"CATCHMENT_FETCH_EVERY": "15m,posts=off"}).fetch_every.of("posts") is None


def test_rates_are_read_by_host() -> None:
    settings = load({"CATCHMENT_RATE_LIMITS": "api.github.com=60/1h,127.0.0.1:8900=20/5s"})

    assert settings.rate_limits == {
        "api.github.com": Rate(60, 3600.0),
        "127.0.0.1:8900": Rate(20, 5.0),
    }


def test_the_database_url_is_read_without_the_prefix_too() -> None:
    bare = load({"DATABASE_URL": "sqlite:///a.db"})
    both = load({"DATABASE_URL": "sqlite:///a.db", "CATCHMENT_DATABASE_URL": "sqlite:///b.db"})

    assert bare.database_file == Path("a.db")
    assert both.database_file == Path("b.db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_database_may_be_a_server_and_then_needs_a_secret_of_its_own(scheme: str) -> None:
    given = {"DATABASE_URL": f"{scheme}://us:pass@db:5433/ours"}

    with pytest.raises(InvalidSetting, match="CATCHMENT_SECRET_KEY is empty"):
        load(given)
    settings = load({**given, "CATCHMENT_SECRET_KEY": "x" * 32})

    assert settings.database_file is None
    assert settings.database_url == given["DATABASE_URL"]


def test_without_a_broker_there_is_no_url_of_one() -> None:
    assert load({}).broker_url == ""
    assert load({"CATCHMENT_BROKER_URL": "amqp://us:pass@mq/"}).broker_url == "amqp://us:pass@mq/"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://us:pass@db:5433/ours?sslmode=require", "postgresql://us:***@db:5433/ours"),
        ("amqp://us:pa%40ss@mq/", "amqp://us:***@mq/"),
        ("amqp://mq/", "amqp://mq/"),
        ("sqlite:///var/catchment.db", "sqlite:///var/catchment.db"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, told: str) -> None:
    assert without_password(url) == told


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "SECRET_KEY", "ALERT_URL"])
def test_what_holds_a_password_is_not_shown_when_it_cannot_be_used(name: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({f"CATCHMENT_{name}": "sesame"})

    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("DATABASE_URL", "mysql://x", "expected sqlite:///FILE"),
        ("DATABASE_URL", "sqlite:///:memory:", "expected sqlite:///FILE"),
        ("DATABASE_URL", "postgresql:///x", "expected a host"),
        ("DATABASE_URL", "postgres://localhost:x/x", "expected a port"),
        ("BROKER_URL", "redis://localhost", "expected amqp://"),
        ("BROKER_URL", "amqp:///", "expected a host"),
        ("ALERT_URL", "ftp://x", "expected a full http or https URL without a name"),
        ("ALERT_URL", "http://us:pass@x/", "expected a full http or https URL without a name"),
        ("KEEP_RAW", "0s", "expected a duration above zero"),
        ("KEEP_JOBS", "off", "expected a duration"),
        ("KEEP_QUARANTINE", "", "expected a duration"),
        ("PORT", "eighty", "expected a port"),
        ("PORT", "70000", "expected a port"),
        ("PORT", "٨٠", "expected a port"),
        ("SECRET_KEY", "short", "expected at least 32 bytes"),
        ("MIN_FETCH_INTERVAL", "60", "expected a duration"),
        ("MIN_FETCH_INTERVAL", "60s,5m", "expected one value for all"),
        ("FETCH_EVERY", "0s", "above zero"),
        ("FETCH_DEADLINE", "-1s", "expected a duration"),
        ("FETCH_ON_START", "yes", "expected true or false"),
        ("POSTS_URL", "ftp://host/posts", "expected a full http or https URL"),
        ("POSTS_URL", "http://host:port/", "expected a port from 0 to 65535"),
        ("COINPAPRIKA_URL", "/tickers.json", "expected a full http or https URL"),
        ("TELEMETRY_URL", "mqtt://host", "expected a full http or https URL"),
        ("ASSETS_CSV", "ftp://host/assets.csv", "expected a path, file:///PATH, or a full http"),
        ("ASSETS_CSV", "file://assets.csv", "expected a path, file:///PATH"),
        ("ASSETS_CSV", "file:///", "expected a path, file:///PATH"),
        ("ASSETS_CSV", "http://", "expected a full http or https URL"),
        ("ASSETS_CSV", "file:", "the address of a local file is file:///PATH"),
        ("ASSETS_CSV", "https://host/a b.csv", "must be percent-encoded"),
        ("POSTS_URL", "https://host/a b.json", "must be percent-encoded"),
        ("POSTS_URL", "https://host/ä", "must be percent-encoded"),
        ("POSTS_URL", "https://host:0/", "not a plain http or https URL"),
        ("COINPAPRIKA_URL", "https://ho,st/", "not a plain http or https URL"),
        ("TELEMETRY_URL", "https://fa\u00df.example/", "write its ASCII name"),
        ("GITHUB_URL", "https://host\\other/", "not a plain http or https URL"),
        ("FOLLOW_HOSTS", "https://files.example.com", "expected hosts such as files.example.com"),
        ("FOLLOW_HOSTS", "*", "expected hosts such as files.example.com"),
        ("FOLLOW_HOSTS", "a.example:0", "expected hosts such as files.example.com"),
        ("FOLLOW_HOSTS", "a.example:99999", "expected hosts such as files.example.com"),
        ("RATE_LIMITS", "60/1h", "expected host=count/window"),
        ("RATE_LIMITS", "host=0/1h", "expected requests per window"),
        ("RATE_LIMITS", "host=5/0s", "expected requests per window"),
        ("SIGNUP", "maybe", "expected one of open, closed"),
        ("MAX_ACCOUNTS", "0", "expected a whole number, 1 or more"),
        ("MAX_ACCOUNTS", "many", "expected a whole number, 1 or more"),
        ("CLIENT_LIMITS", "read=5/1m", "expected limits such as fetch="),
        ("ALLOWED_PRIVATE_HOSTS", "10.0.0.5", "expected host:port"),
        ("MAX_BODY", "1MiB", "expected two sizes"),
        ("MAX_BODY", "1MB,upstream=20MiB", "expected a size"),
        ("LOG_LEVEL", "loud", "expected one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "expected one of console, json"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_was_expected(
    name: str, text: str, expected: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({f"CATCHMENT_{name}": text})

    assert f"CATCHMENT_{name}" in str(refused.value)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("", ""),
        ("assets.csv", ""),
        ("//data/assets.csv", ""),
        ("C:\\data\\assets.csv", ""),
        ("file:///data/assets.csv", ""),
        ("FILE:///data/assets.csv?charset=windows-1252", ""),
        ("https://example.com/assets.csv", "example.com:443"),
        ("HTTP://10.0.0.5:8080/assets.csv?as=csv", "10.0.0.5:8080"),
        ("http://[::1]/assets.csv", "[::1]:80"),
    ],
)
def test_assets_come_from_a_path_a_file_or_a_host(text: str, host: str) -> None:
    settings = load({"CATCHMENT_ASSETS_CSV": text})

    assert settings.assets_csv == text
    assert host_of(settings.assets_csv) == host


def test_hosts_may_be_written_in_any_script() -> None:
    settings = load(
        {
            "CATCHMENT_POSTS_URL": "https://b\u00fccher.example/posts",
            "CATCHMENT_RATE_LIMITS": "B\u00fccher.example=5/1s,b\u00fccher.example:81=6/1s",
            "CATCHMENT_ALLOWED_PRIVATE_HOSTS": "b\u00fccher.example:81",
            "CATCHMENT_FOLLOW_HOSTS": "b\u00fccher.example, *.B\u00fccher.example:81,[::1]:82",
        }
    )

    assert settings.posts_url == "https://b\u00fccher.example/posts"
    assert set(settings.rate_limits) == {"xn--bcher-kva.example", "xn--bcher-kva.example:81"}
    assert settings.allowed_private_hosts == {"xn--bcher-kva.example:81"}
    assert settings.follow_hosts == {
        "xn--bcher-kva.example",
        "*.xn--bcher-kva.example:81",
        "[::1]:82",
    }


def test_a_bad_secret_is_not_repeated() -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({"CATCHMENT_SECRET_KEY": "hunter2"})

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["MIN_FETCH_INTERVAL", "FETCH_EVERY", "STALE_AFTER"])
def test_a_setting_for_a_dataset_there_is_not_is_refused(name: str) -> None:
    settings = load({f"CATCHMENT_{name}": "60s,rivers=5s"})

    with pytest.raises(InvalidSetting, match=r"names 'rivers'.*there are: posts"):
        check_names(settings, ["posts"])


def test_a_default_dataset_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="DEFAULT_DATASET"):
        check_names(load({"CATCHMENT_DEFAULT_DATASET": "rivers"}), ["posts"])


def test_an_unknown_name_warns_and_offers_the_nearest() -> None:
    [warning, plain] = unknown_names(
        {"CATCHMENT_FETCH_EVRY": "1m", "CATCHMENT_ZZZ": "1", "PATH": "", "CATCHMENT_PORT": "1"}
    )

    assert "did you mean CATCHMENT_FETCH_EVERY?" in warning
    assert "did you mean" not in plain


@pytest.mark.parametrize(
    ("proxies", "wide"),
    [
        ("", []),
        ("10.0.0.5", []),
        ("10.0.0.0/24,::1,fd00::/64", []),
        ("10.0.0.0/23", ["10.0.0.0/23"]),
        ("10.0.0.5,10.0.0.0/8,fd00::/8,0.0.0.0/0", ["10.0.0.0/8", "fd00::/8", "0.0.0.0/0"]),
    ],
)
def test_a_network_with_room_for_clients_is_warned_of(proxies: str, wide: list[str]) -> None:
    warnings = wide_networks(load({"CATCHMENT_TRUSTED_PROXIES": proxies}))

    assert [warning.split()[2].rstrip(":") for warning in warnings] == wide


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('CATCHMENT_PORT="81"\n# a comment\nPATH=/nowhere\n')

    found = environment(tmp_path / ".env")

    assert found["CATCHMENT_PORT"] == "81"
    assert found["PATH"] != "/nowhere"


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'var' / 'c.db'}"})

    first, second = secret_of(settings), secret_of(settings)

    assert first == second
    assert len(first) >= 32
    assert (tmp_path / "var" / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_is_used_and_none_is_written(tmp_path: Path) -> None:
    settings = load(
        {
            "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}",
            "CATCHMENT_SECRET_KEY": "k" * 32,
        }
    )

    assert secret_of(settings) == b"k" * 32
    assert list(tmp_path.iterdir()) == []


def test_every_setting_has_a_meaning_in_words() -> None:
    assert all(setting.meaning for setting in SETTINGS.values())


def test_the_defaults_of_the_struct_are_what_an_empty_environment_gives() -> None:
    assert Settings() == load({})


def test_a_damaged_secret_is_refused_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"")
    settings = load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}"})

    with pytest.raises(InvalidSetting, match="damaged"):
        secret_of(settings)


def test_a_folder_for_the_secret_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'file' / 'c.db'}"})

    with pytest.raises(InvalidSetting, match="cannot be used"):
        secret_of(settings)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidSetting, match="without a name or password") as refused:
        load({"CATCHMENT_POSTS_URL": "https://me:secret@example.com/posts"})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["POSTS_URL", "DATABASE_URL"])
def test_a_url_with_a_host_that_cannot_be_is_refused_and_not_repeated(name: str) -> None:
    scheme = "https" if name == "POSTS_URL" else "postgresql"

    with pytest.raises(InvalidSetting, match="after a valid host") as refused:
        load({f"CATCHMENT_{name}": f"{scheme}://me:secret@ho℀st/"})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com/posts", "example.com:80"),
        ("https://example.com/posts", "example.com:443"),
        ("http://[::1]:9000/posts", "[::1]:9000"),
        ("https://b\u00fccher.example/posts", "xn--bcher-kva.example:443"),
        ("", ""),
    ],
)
def test_the_host_of_a_url_is_written_as_private_hosts_are(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("name", ["FETCH_EVERY", "MIN_FETCH_INTERVAL", "FETCH_DEADLINE"])
def test_a_duration_no_calendar_holds_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="at most ten years"):
        load({f"CATCHMENT_{name}": "9999999d"})


def test_a_deadline_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="above zero"):
        load({"CATCHMENT_FETCH_DEADLINE": "0s"})


@pytest.mark.parametrize("token", ["a token", "a\ntoken", "tökén", "\x7f"])
def test_a_token_that_cannot_be_sent_is_refused_unshown(token: str) -> None:
    with pytest.raises(InvalidSetting, match="CATCHMENT_GITHUB_TOKEN: expected") as refused:
        load({"CATCHMENT_GITHUB_TOKEN": token})

    assert token not in str(refused.value)


def test_tasks_may_be_timed_and_are_no_default_dataset() -> None:
    timed = {
        "CATCHMENT_FETCH_EVERY": "15m,tasks=1h",
        "CATCHMENT_MIN_FETCH_INTERVAL": "60s,tasks=5s",
    }
    check_names(load(timed), ["posts"], "tasks")

    for refused in (
        {"CATCHMENT_DEFAULT_DATASET": "tasks"},
        {"CATCHMENT_STALE_AFTER": "1h,tasks=2h"},
    ):
        with pytest.raises(InvalidSetting, match=r"there are: posts$"):
            check_names(load(refused), ["posts"], "tasks")
