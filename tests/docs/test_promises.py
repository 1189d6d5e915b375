"""The promises page has exactly the proven promises, each with its figure."""

import re

from tests.docs.markdown import DOCS, rows, section
from tests.prove.promises import PROMISES
from tests.prove.table import BEGIN, END

PAGE = DOCS / "promises.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROSE = TEXT.partition(BEGIN)[0]
NUMBERED = {promise.name: promise for promise in PROMISES if re.fullmatch(r"P\d+", promise.name)}


def test_every_promise_is_on_the_page_and_no_other() -> None:
    assert set(re.findall(r"\bP\d+\b", PROSE)) == set(NUMBERED)


def test_every_sentence_that_promises_something_names_its_proof() -> None:
    for heading in ("## What Catchment guarantees", "## What it does not"):
        part = PROSE.partition(heading)[2].partition("\n## ")[0]
        sentences = re.split(r"^- ", part, flags=re.MULTILINE)[1:]

        assert sentences
        for sentence in sentences:
            assert re.search(r"\(P\d+\)", sentence), sentence


def test_every_promise_has_its_figure() -> None:
    table = TEXT.partition(BEGIN)[2].partition(END)[0]
    known = {promise.name: promise.says for promise in PROMISES}
    found = {row[0]: row[1] for row in rows(table)}

    assert found.keys() >= NUMBERED.keys()
    assert found == {name: known[name] for name in found}


def test_every_promise_has_a_proof() -> None:
    for promise in NUMBERED.values():
        assert any(proof.is_there for proof in promise.proofs), promise.name


def test_the_page_says_how_to_measure_again() -> None:
    assert "make prove" in section(PAGE, "Promises")
