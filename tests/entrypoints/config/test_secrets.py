"""The secrets of a set of containers: random, the same in every file, and written once."""

import re
from pathlib import Path

from entrypoints.config.loading import environment, load
from entrypoints.config.secrets import write


def _files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_every_service_finds_its_file_and_the_passwords_agree(tmp_path: Path) -> None:
    write(tmp_path)
    files = _files(tmp_path)
    ours = files["app/.env"]

    assert list(files) == ["app/.env", "postgres/password", "rabbitmq/20-catchment.conf"]
    assert f"://catchment:{files['postgres/password']}@postgres/catchment\n" in ours
    broker = re.search(r"default_pass = (\S+)\n", files["rabbitmq/20-catchment.conf"])
    assert broker is not None
    assert f"amqp://catchment:{broker[1]}@rabbitmq/\n" in ours


def test_what_is_written_is_settings_that_can_be_used(tmp_path: Path) -> None:
    write(tmp_path)

    given = environment(tmp_path / "app" / ".env")
    settings = load({name: text for name, text in given.items() if name.startswith("CATCHMENT_")})

    assert settings.database_url.startswith("postgresql://catchment:")
    assert len(settings.secret_key) == 64


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    before = _files(tmp_path)

    [said] = write(tmp_path)

    assert _files(tmp_path) == before
    assert "exist already" in said


def test_an_interrupted_start_begins_again(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "app" / ".env").unlink()
    (tmp_path / "postgres" / ".password.new").write_text("half")

    write(tmp_path)
    files = _files(tmp_path)

    assert files["postgres/password"] in files["app/.env"]


def test_no_two_sets_share_a_secret(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")

    one = set(re.findall(r"[0-9a-f]{32,}", "\n".join(_files(tmp_path / "one").values())))
    two = set(re.findall(r"[0-9a-f]{32,}", "\n".join(_files(tmp_path / "two").values())))

    assert len(one) == 3
    assert one.isdisjoint(two)
