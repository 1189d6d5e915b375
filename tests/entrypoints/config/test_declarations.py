"""Files of declarations: found, merged, and refused with the file and line of every error."""

from contextlib import chdir
from pathlib import Path

import pytest

from entrypoints.config.declarations import (
    InvalidDeclarations,
    declared_private_hosts,
    read_declarations,
)

OWNERS = """# people
[datasets.owners]
url = "https://api.example.com/owners"
key = "id"

[datasets.owners.fields]
id = "integer"
name = "string"
"""


def lines(path: Path, *taken: str) -> list[str]:
    """Return the errors in the files, one a line."""
    with pytest.raises(InvalidDeclarations) as refused:
        read_declarations(str(path), taken)
    return str(refused.value).replace(f"{path.parent}/", "").splitlines()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


def test_the_usual_file_is_read_if_it_is_there(tmp_path: Path) -> None:
    with chdir(tmp_path):
        assert read_declarations("").datasets == {}
        (tmp_path / "datasets.toml").write_text(OWNERS)
        assert list(read_declarations("").datasets) == ["owners"]


def test_a_file_that_is_named_must_be_there(file: Path) -> None:
    assert lines(file) == ["own.toml: there is no such file or folder"]


def test_all_files_of_a_folder_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(OWNERS)
    (tmp_path / "b.toml").write_text(OWNERS.replace("owners", "pets"))
    (tmp_path / "c.txt").write_text("nonsense")
    assert list(read_declarations(str(tmp_path)).datasets) == ["owners", "pets"]


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.toml").write_text(OWNERS)
    (folder / "b.toml").write_text(OWNERS)
    assert lines(folder) == ["folder/b.toml:2: datasets.owners is in two files"]


def test_every_error_is_reported_with_its_line(file: Path) -> None:
    file.write_text(
        OWNERS.replace("https", "ftp").replace('"integer"', '"int"')
        + '\n[hosts."api.example.com"]\nrate = "many"\n'
        + OWNERS.replace("owners", "pets").replace("key", "keys")
    )
    assert lines(file) == [
        "own.toml:15: datasets.pets.keys: unknown key; did you mean key?",
        "own.toml:13: datasets.pets: key is missing",
    ]

    file.write_text(file.read_text().replace("keys", "key"))
    found = [line.partition(": ")[0] for line in lines(file)]
    assert found == ["own.toml:11", "own.toml:7", "own.toml:3"]


def test_an_error_in_one_of_several_files_names_that_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.toml").write_text(OWNERS)
    (folder / "b.toml").write_text(OWNERS.replace("owners", "pets").replace('"id"', '"ix"'))
    assert lines(folder)[0].startswith("folder/b.toml:2: datasets.pets: pets has no sortable field")


def test_what_is_no_toml_is_refused(file: Path) -> None:
    file.write_text("[datasets.owners\n")
    [line] = lines(file)
    assert line.startswith("own.toml: it is not valid TOML: Expected ']'")
    file.write_bytes(b"# \xff\n")
    assert lines(file) == ["own.toml: it is not UTF-8"]


def test_a_file_that_is_too_large_is_refused(file: Path) -> None:
    file.write_text("#" * (8 * 2**20 + 1))
    assert lines(file) == ["own.toml: it is larger than 8 MiB"]


def test_the_name_of_a_dataset_that_comes_along_is_refused(file: Path) -> None:
    file.write_text(OWNERS)
    assert lines(file, "owners") == ["own.toml:2: datasets.owners: a shipped dataset has this name"]


def test_an_address_that_cannot_be_asked_is_refused(file: Path) -> None:
    file.write_text(OWNERS.replace("api.example.com", "straße.example"))
    [line] = lines(file)
    assert line.startswith("own.toml:3: datasets.owners.url: the host has a letter")


def test_more_datasets_than_there_may_be_are_refused(file: Path) -> None:
    file.write_text(OWNERS + OWNERS.replace("owners", "pets"))
    with pytest.raises(InvalidDeclarations, match="datasets: there are more than 1 datasets"):
        read_declarations(str(file), most=1)


def test_a_host_that_may_be_private_is_so_on_its_port_or_on_the_usual_ones(file: Path) -> None:
    file.write_text('[hosts.a]\nprivate = true\n[hosts."b:81"]\nprivate = true\n[hosts.c]\n')
    assert declared_private_hosts(read_declarations(str(file))) == {"a:80", "a:443", "b:81"}
