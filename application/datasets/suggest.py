"""Suggest: what an upstream seems to offer, as a block, with the evidence of each guess."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from application.ports.datasets import Upstream
from domain.errors import InvalidInput, SourceError
from domain.guessed_fields import FieldsGuess, KeyGuess, guess_fields, guess_keys
from domain.guessed_pages import Block, FirstAnswer, PagesGuess, guess_pages, told_total
from domain.guessed_records import RecordsGuess, guess_records
from domain.looks import Look
from domain.page_names import link_target
from domain.pointers import EVERY, parse_pointer

#: An upstream is asked no more often than this before it is declared.
MOST_REQUESTS = 4
_SINCE = ("since", "updated", "modified", "changed", "after")


class Question(msgspec.Struct, frozen=True):
    """What only a person can know, and the option that answers it."""

    option: str
    text: str


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at a URL; `questions` are open, and `evidence` says why the rest is so."""

    url: str
    format: str
    records: RecordsGuess
    pages: Block | None
    fields: FieldsGuess
    keys: Sequence[KeyGuess]
    key: tuple[str, ...]
    elements: Sequence[Any]
    evidence: Sequence[str]
    questions: Sequence[Question]
    requests: int


class Suggest:
    """Asks a URL a few times, and stores nothing."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(
        self,
        url: str,
        records: str | None = None,
        key: Sequence[str] = (),
        pages: Block | None = None,
    ) -> Suggestion:
        """Return what is at the URL; what is given is not guessed.

        Raise InvalidInput where nothing can be made of the answer, SourceError where there is none.
        """
        looks = _Looks(self._upstream, url)
        first = await looks.ask({})
        found = _records(first.answer.body, records)
        proof = _Proof(None, "as given", found.elements) if pages is not None else None
        if proof is None:
            proof = await self._prove(looks, first.answer, found)
        elements = proof.elements
        fields = guess_fields(elements)
        keys = guess_keys(fields.fields, elements)
        questions = [*_about_records(found, records), *proof.questions, *_about_since(url)]
        chosen = tuple(key) or tuple(each.name for each in keys[:1])
        questions += _about_key(keys, key)
        return Suggestion(
            url=url,
            format=first.format,
            records=found,
            pages=pages if pages is not None else proof.block,
            fields=fields,
            keys=keys,
            key=chosen,
            elements=elements,
            evidence=[found.evidence, proof.evidence],
            questions=questions,
            requests=looks.count,
        )

    async def _prove(self, looks: "_Looks", answer: FirstAnswer, found: RecordsGuess) -> "_Proof":
        """Return the way to the next page that a second page proves."""
        came, total = len(found.elements), told_total(answer)
        if total is not None and total[1] == came:
            return _Proof(None, f"all {came} announced records came", found.elements)
        guesses = guess_pages(answer, found)
        known = set(map(_identity, found.elements))
        for guess in guesses:
            if looks.count >= MOST_REQUESTS:
                break
            following = await _second(looks, answer, found, guess)
            if following and known.isdisjoint(map(_identity, following)):
                evidence = f"{guess.evidence}; the second page has {len(following)} other records"
                return _Proof(guess.block, evidence, [*found.elements, *following])
        if total is not None and total[1] > came:
            raise InvalidInput(
                "pages", f"{total[1]} are announced, {came} came, no way to the others was found"
            )
        if not guesses:
            return _Proof(None, "nothing says that there is more", found.elements)
        text = f"{came} came, and no second page was found: are these all?"
        question = Question('--pages none, or --pages "SPEC"', text)
        return _Proof(None, "no second page was found", found.elements, [question])


class _Looks:
    """The requests to one URL, counted."""

    def __init__(self, upstream: Upstream, url: str) -> None:
        self._upstream = upstream
        self._url = url
        self.count = 0

    async def ask(self, params: Mapping[str, str], url: str | None = None) -> Look:
        """Return an answer."""
        self.count += 1
        return await self._upstream.look(url or self._url, params)


class _Proof(msgspec.Struct):
    """A way to the next page, None where there is none, why, and the records that were seen."""

    block: Block | None
    evidence: str
    elements: Sequence[Any]
    questions: list[Question] = []


async def _second(
    looks: _Looks, answer: FirstAnswer, found: RecordsGuess, guess: PagesGuess
) -> Sequence[Any]:
    """Return the records of the second page by a guess; none where there is no such page."""
    try:
        if guess.params:
            second = await looks.ask(guess.params)
        else:
            link = _link(answer, guess.block)
            second = await looks.ask({}, urljoin(answer.url, link) if link else None)
        return _records(second.answer.body, str(found.pointer)).elements
    except (SourceError, InvalidInput):
        return ()


def _link(answer: FirstAnswer, block: Block) -> str | None:
    """Return the URL that an answer leads to; None for its own, which proves nothing."""
    if isinstance(block, dict) and "next" in block:
        return link_target(parse_pointer(block["next"]).find(answer.body))
    if isinstance(block, dict) and "next_header" in block:
        return answer.headers.get(block["next_header"])
    return answer.next_link


def _records(body: Any, pointer: str | None) -> RecordsGuess:
    """Return where the records are: at the pointer that is given, or where they seem to be."""
    try:
        guesses = guess_records(body)
    except ValueError as error:
        raise InvalidInput("records", str(error)) from error
    if pointer is None:
        return guesses[0]
    wanted = parse_pointer(pointer)
    for each in guesses:
        if each.pointer == wanted:
            return msgspec.structs.replace(each, sure=True)
    found = [value for _, value in wanted.find_all(body)]
    elements = found if EVERY in wanted.steps else found[0] if found else None
    if isinstance(elements, dict):
        elements = [elements]
    if not isinstance(elements, list) or not elements:
        raise InvalidInput("records", f"the answer has no records at {pointer!r}")
    return RecordsGuess(pointer=wanted, elements=elements, sure=True, evidence="as given")


def _about_records(found: RecordsGuess, given: str | None) -> list[Question]:
    if found.sure or given is not None:
        return []
    place = str(found.pointer) or "the whole answer"
    return [Question(f'--records "{found.pointer}"', f"are the records at {place}?")]


def _about_key(keys: Sequence[KeyGuess], given: Sequence[str]) -> list[Question]:
    if given or (keys and keys[0].sure):
        return []
    if not keys:
        return [Question("--key FIELD,FIELD", "no single field identifies a record: which do?")]
    text = f"does {keys[0].name} identify a record? {keys[0].evidence}"
    return [Question(f"--key {keys[0].name}", text)]


def _about_since(url: str) -> list[Question]:
    names = [name for name, _ in parse_qsl(urlsplit(url).query)]
    found = [name for name in names if any(word in name.lower() for word in _SINCE)]
    text = "the URL asks for a part of the records only: is that wanted?"
    return [Question("--yes", f"{text} ({found[0]})")] if found else []


def _identity(element: Any) -> bytes:
    """Return the identity of a record: its identifier, or all of it."""
    if isinstance(element, dict) and "id" in element:
        element = element["id"]
    return msgspec.json.encode(element)
