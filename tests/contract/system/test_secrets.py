"""Every adapter of secrets reads what a reference names, and takes it out of texts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.memory.system import MemorySecrets
from adapters.system.secrets import EnvironmentSecrets
from application.ports.system import Secrets
from domain.errors import SourceRefused
from domain.secrets import SecretRef

Make = Callable[[dict[str, str]], Secrets]


@pytest.fixture(params=[MemorySecrets, EnvironmentSecrets])
def make(request: pytest.FixtureRequest) -> Make:
    """Return what makes an adapter with variables."""
    made: Make = request.param
    return made


def test_a_variable_holds_a_secret(make: Make) -> None:
    secrets = make({"SHOP_KEY": "a long secret"})
    assert secrets.read(SecretRef(env="SHOP_KEY")) == "a long secret"
    assert secrets.redact("it is a long secret.") == "it is [secret]."


def test_a_secret_that_is_missing_is_named(make: Make) -> None:
    for reference in (SecretRef(env="SHOP_KEY"), SecretRef(file="/nowhere/at/all")):
        with pytest.raises(SourceRefused, match="the secret is missing: the ") as refused:
            make({"SHOP_KEY": ""}).read(reference)
        assert refused.value.code == "secret_missing"


def test_a_secret_that_came_otherwise_is_taken_out_as_well(make: Make) -> None:
    secrets = make({})
    secrets.note("a token of somebody")
    assert secrets.redact("Bearer a token of somebody") == "Bearer [secret]"


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    secrets = EnvironmentSecrets({})
    for text in ("the first one", "the second one"):
        file.write_text(f"{text}\n")
        assert secrets.read(SecretRef(file=str(file))) == text


@pytest.mark.parametrize("text", ["two\nlines", "snö", "nul\0"])
def test_what_cannot_be_in_a_header_is_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    with pytest.raises(SourceRefused, match="more than one line of plain characters") as refused:
        EnvironmentSecrets({}).read(SecretRef(file=str(file)))
    assert text not in str(refused.value)
