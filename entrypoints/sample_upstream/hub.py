"""The GitHub of the sample upstream: repositories, and quotas per hour."""

import zlib
from datetime import datetime, timedelta

from entrypoints.sample_upstream.documents import Document, Record, encode

WINDOW = timedelta(hours=1)
KNOWN: tuple[tuple[str, str | None, int, str | None], ...] = (
    (
        "litestar-org/litestar",
        "Light, flexible and extensible ASGI framework | Built to scale",
        7600,
        "Python",
    ),
    ("encode/httpx", "A next generation HTTP client for Python. 🦋", 14700, "Python"),
    ("encode/starlette", "The little ASGI framework that shines. 🌟", 11600, "Python"),
    ("sqlalchemy/sqlalchemy", "The Database Toolkit for Python", 11200, "Python"),
    (
        "jcrist/msgspec",
        "A fast serialization and validation library, with builtin support for JSON, "
        "MessagePack, YAML, and TOML",
        3300,
        "Python",
    ),
    ("python/cpython", "The Python programming language", 69900, "Python"),
    ("pallets/click", "Python composable command line interface toolkit", 17000, "Python"),
    ("torvalds/linux", "Linux kernel source tree", 208000, "C"),
    ("octocat/hello-world", "My first repository on GitHub!", 3200, None),
    ("octocat/test-repo1", None, 0, None),
)
"""Full name, description, stars and language; some have no description or no language."""

RENAMED = {"octocat/old-name": "octocat/hello-world"}


class Hub:
    """Repositories by name, in any case, and the quota of each client."""

    def __init__(self) -> None:
        self._quotas: dict[str, Quota] = {}
        self._documents: dict[str, Document] = {}
        self._facts: dict[str, Record] = {}
        for full_name, description, stars, language in KNOWN:
            self.put(full_name, description, stars, language)

    def put(
        self, full_name: str, description: str | None, stars: int, language: str | None
    ) -> None:
        """Add a repository with these facts, or replace the one of that name."""
        key = full_name.lower()
        self._facts[key] = _facts(full_name, description, stars, language)
        self._documents[key] = Document(encode(self._facts[key]))

    def facts(self, full_name: str) -> Record | None:
        """Return the facts about a repository."""
        return self._facts.get(full_name.lower())

    def document(self, full_name: str) -> Document | None:
        """Return the facts about a repository as a document."""
        return self._documents.get(full_name.lower())

    def quota(self, client: str, now: datetime) -> "Quota":
        """Return the quota of a client in the hour that began with its first request."""
        known = self._quotas.get(client)
        if known is None or now >= known.reset_at:
            # In whole seconds, as in the header: a client that waits for it must not be early.
            known = self._quotas[client] = Quota(now.replace(microsecond=0) + WINDOW)
        return known


class Quota:
    """The number of requests of one client, and when it is reset."""

    def __init__(self, reset_at: datetime) -> None:
        self.used = 0
        self.reset_at = reset_at


def _facts(full_name: str, description: str | None, stars: int, language: str | None) -> Record:
    owner, _, name = full_name.partition("/")
    url = f"https://github.com/{full_name}"
    return {
        "id": zlib.crc32(full_name.lower().encode()),
        "name": name,
        "full_name": full_name,
        "private": False,
        "owner": {
            "login": owner,
            "id": zlib.crc32(owner.lower().encode()),
            "type": "Organization",
            "html_url": f"https://github.com/{owner}",
        },
        "html_url": url,
        "description": description,
        "fork": False,
        "url": f"https://api.github.com/repos/{full_name}",
        "created_at": "2011-01-26T19:01:12Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "pushed_at": "2025-12-31T18:30:00Z",
        "homepage": None,
        "size": 1024,
        "stargazers_count": stars,
        "watchers_count": stars,
        "language": language,
        "forks_count": stars // 8,
        "archived": False,
        "disabled": False,
        "open_issues_count": stars // 100,
        "license": {"key": "mit", "name": "MIT License", "spdx_id": "MIT"},
        "topics": [],
        "visibility": "public",
        "default_branch": "main",
    }
