"""GitHub: what it says of a repository, asked as politely as any other upstream."""

from datetime import datetime
from typing import Annotated

import msgspec

from adapters.outbound.formats.charsets import json_to_utf8
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.failures import Absent
from adapters.outbound.polite.messages import (
    HostRules,
    NotModified,
    UpstreamResponse,
    Validators,
)
from adapters.outbound.polite.urls import parse
from application.ports.tasks import Repositories
from domain.errors import UnexpectedContent
from domain.fields import INT64_MAX, storable
from domain.reports import Traffic
from domain.repositories import LookupResult, RepoFacts

#: What of a text is kept; GitHub's own are far shorter.
LONGEST_TEXT = 1000

#: It ends a request of its own after 10 seconds, wants a minute's rest at a limit without a time,
#: and shuts out for a while whoever comes again and again with a token that does not hold.
RULES = HostRules(patience_s=10.0, limited_for_s=60.0, refused_for_s=600.0)

_MEDIA_TYPE = "application/vnd.github+json"


class _Payload(msgspec.Struct):
    """A repository as GitHub spells it; all the rest of it is passed over."""

    stargazers_count: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
    description: str | None = None
    language: str | None = None


class GitHubRepositories(Repositories):
    """Asks GitHub's REST API at this address; a token raises what may be asked of it."""

    def __init__(self, client: PoliteClient, url: str, token: str = "") -> None:
        self._host = parse(url).key
        self._client = client
        self._url = url.rstrip("/")
        self._token = token
        self._headers = {"Accept": _MEDIA_TYPE}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def host(self) -> str:
        """The host it asks."""
        return self._host

    async def lookup(
        self, name: str, known: LookupResult | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        """What GitHub says of a repository now, or what was known when that has not changed."""
        url = parse(f"{self._url}/repos/{name}")
        try:
            answer = await self._client.get(
                url,
                deadline,
                traffic,
                validators=Validators(known.url or url.text, known.etag) if known else None,
                headers=self._headers,
                rules=RULES,
            )
        except Absent:
            return LookupResult(None)
        if known is not None and isinstance(answer, NotModified):
            return known
        if isinstance(answer, NotModified):
            raise UnexpectedContent(f"{self._host} says that nothing changed of what is not known")
        facts = self._facts(answer)
        if answer.etag is None or self._is_told(answer.etag + answer.url):
            return LookupResult(facts)
        return LookupResult(facts, answer.etag, answer.url if answer.url != url.text else "")

    def _facts(self, answer: UpstreamResponse) -> RepoFacts:
        try:
            text = json_to_utf8(answer.body, answer.content_type)
            read = msgspec.json.decode(text, type=_Payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnexpectedContent("GitHub's answer cannot be read as a repository") from error
        description, language = self._kept(read.description), self._kept(read.language)
        return RepoFacts(description, read.stargazers_count, language)

    def _kept(self, text: str | None) -> str | None:
        return text and storable(self._harmless(text) or "")[:LONGEST_TEXT]

    def _harmless(self, text: str | None) -> str | None:
        """A text without our token: whoever is sent it may send it back, for everybody to read."""
        return text.replace(self._token, "***") if text and self._token else text

    def _is_told(self, text: str) -> bool:
        """Whether a text tells our token."""
        return self._harmless(text) != text
