"""Blocks that tests declare."""

import tomllib
from typing import Any, cast

from adapters.outbound.declared.sources import definition_of
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.sources import source_of
from application.ports.ingest import Source
from application.ports.system import Secrets
from domain.declarations import declarations_of


def source_from(
    block: str,
    url: str = "http://h/",
    client: PoliteClient | None = None,
    secrets: Secrets | None = None,
) -> Source[Any]:
    """Return the source of a dataset with the key `id` that a block declares."""
    table = tomllib.loads(f'[datasets.things]\nurl = "{url}"\nkey = "id"\n{block}')
    [declared] = declarations_of(table).datasets.values()
    [source] = declared.sources
    return source_of(definition_of(source, declared.dataset), cast(PoliteClient, client), secrets)
