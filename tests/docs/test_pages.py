"""All pages: links and paths exist, and every page is reachable."""

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.edits import copy_product, follow
from tests.docs.markdown import DOCS, PAGES, ROOT, anchors, codes, named, prose, rows

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:domain|application|adapters|entrypoints|tests|docs)/(?:[\w./-]*[./][\w]*)?")
HOW_TOS = sorted((DOCS / "how-to").glob("*.md"))
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the relative links of a page, as file and anchor."""
    found = []
    for link in LINK.findall(prose(page)):
        if not link.startswith(("http://", "https://")):
            target, _, anchor = link.partition("#")
            found.append((Path(os.path.normpath(page.parent / target)) if target else page, anchor))
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{named(page)} links to {target}"
        assert not anchor or anchor in anchors(target), f"{named(page)} links to #{anchor}"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the product with the additions of the how-tos."""
    product = tmp_path_factory.mktemp("product")
    copy_product(product)
    for page in (DOCS / "how-to" / "add-a-dataset.md", DOCS / "how-to" / "add-a-source.md"):
        follow(page, product)
    return product


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_named_exists(page: Path, extended: Path) -> None:
    paths = {path for span in codes(prose(page)) if PATH.fullmatch(path := span)}
    missing = {path for path in paths if not (ROOT / path).exists()}

    if page in HOW_TOS:
        missing = {path for path in missing if not (extended / path).exists()}
    assert missing == set()


def test_the_listing_of_folders_is_true() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listing = text.partition("## Where things are")[2].partition("```text\n")[2].partition("```")[0]
    parent = Path()
    for line in listing.splitlines():
        name, listed = line.split(maxsplit=1) if len(line.split()) > 1 else (line.strip(), "")
        folder = parent / name if line.startswith("  ") else Path(name)
        parent = parent if line.startswith("  ") else folder
        assert (ROOT / folder).is_dir(), folder
        for file in re.findall(r"\w+\.(?:py|md)", listed):
            assert (ROOT / folder / file).is_file(), folder / file


def reached(page: Path, seen: set[Path]) -> Iterator[Path]:
    """Return a page and all that its links lead to."""
    if page in seen or page.suffix != ".md":
        return
    seen.add(page)
    yield page
    for target, _ in links(page):
        yield from reached(target, seen)


def test_every_page_can_be_reached_from_the_readme() -> None:
    found = set(reached(ROOT / "README.md", set()))

    assert set(PAGES) - found == {ROOT / "CHANGELOG.md"}


def test_every_decision_is_linked_and_has_its_parts() -> None:
    linked = {target for target, _ in links(DOCS / "decisions" / "README.md")}

    assert linked == set(DECISIONS)
    for number, decision in enumerate(DECISIONS, 1):
        text = decision.read_text(encoding="utf-8")
        assert decision.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_every_word_of_the_glossary_is_explained_once_and_in_order() -> None:
    words = re.findall(r"^\*\*([^*]+)\*\*:", prose(DOCS / "glossary.md"), re.MULTILINE)

    assert words == sorted(set(words), key=str.lower)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = (project["project"]["dependencies"], *extras, project["dependency-groups"]["dev"])
    wanted = [each for group in groups for each in group]
    page = next(page for page in DECISIONS if page.stem.endswith("dependencies"))

    listed = [codes(row[0])[0] for row in rows(prose(page))]

    assert sorted(listed) == sorted(re.split(r"[<>=!~;\[ ]", each)[0] for each in wanted)


def test_the_vendored_files_are_those_that_were_vendored() -> None:
    page = next(page for page in DECISIONS if page.stem.endswith("vendored-swagger-ui"))
    [folder] = [ROOT / path for path in codes(prose(page)) if path.endswith("-5.35.0/")]

    listed = {codes(row[0])[0]: codes(row[1])[0] for row in rows(prose(page))}

    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    assert listed == digests
