"""The Postman collection, parsed for the tests."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.docs.markdown import DOCS

COLLECTION = DOCS / "catchment.postman_collection.json"
TEXT = COLLECTION.read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = json.loads(TEXT)


class Request(NamedTuple):
    """A request: its name, method and address, and the script that checks the answer."""

    name: str
    method: str
    url: dict[str, Any]
    form: tuple[str, ...]
    checks: str

    @property
    def operation(self) -> str:
        """Return the operation it asks for, as the OpenAPI document spells it."""
        path = "/".join(re.sub(r"^:(\w+)$", r"{\1}", part) for part in self.url["path"])
        return f"{self.method} /{path}"

    @property
    def query(self) -> tuple[str, ...]:
        """Return the names of its parameters."""
        return tuple(parameter["key"] for parameter in self.url.get("query", []))

    @property
    def address(self) -> str:
        """Return the address, put together from its parts."""
        given = [f"{each['key']}={each['value']}" for each in self.url.get("query", [])]
        return (
            "/".join([*self.url["host"], *self.url["path"]]) + "?" * bool(given) + "&".join(given)
        )


def folders() -> list[str]:
    """Return the names of the folders, from top to bottom."""
    return [folder["name"] for folder in DOCUMENT["item"]]


def requests(folder: str = "") -> list[Request]:
    """Return the requests of a folder, or of all, in the order in which they are sent."""
    return [
        _request(item)
        for each in DOCUMENT["item"]
        for item in _items(each)
        if folder in ("", each["name"])
    ]


def variables() -> dict[str, str]:
    """Return the variables with their initial values."""
    return {variable["key"]: variable["value"] for variable in DOCUMENT["variable"]}


def _items(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        if "item" in item:
            yield from _items(item)
        else:
            yield item


def _request(item: dict[str, Any]) -> Request:
    request = item["request"]
    scripts = [event["script"]["exec"] for event in item["event"] if event["listen"] == "test"]
    return Request(
        name=item["name"],
        method=request["method"],
        url=request["url"],
        form=tuple(field["key"] for field in request.get("body", {}).get("urlencoded", [])),
        checks="\n".join(line for script in scripts for line in script),
    )
