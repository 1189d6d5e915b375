"""Common names in responses for the next page and for the number of all records."""

from typing import Any

#: The members of a link with its relation, and with its target.
_RELATIONS = ("rel", "relation")
_TARGETS = ("href", "uri", "url")

#: The members that contain members about pages, besides the body itself.
AROUND = frozenset(
    {"links", "_links", "pagination", "paging", "page", "meta", "metadata", "cursor", "info"}
)
#: The next page: its URL, its token or its number.
NEXT = frozenset(
    {
        "next",
        "next_url",
        "nexturl",
        "next_link",
        "nextlink",
        "@odata.nextlink",
        "odata.nextlink",
        "next_page",
        "nextpage",
        "next_page_url",
        "next_page_token",
        "nextpagetoken",
        "next_token",
        "nexttoken",
        "next_cursor",
        "nextcursor",
        "next_page_uri",
        "last_seq",
    }
)
#: The number of all records.
TOTAL = frozenset(
    {
        "total",
        "total_count",
        "totalcount",
        "total_items",
        "totalitems",
        "total_results",
        "totalresults",
        "count",
        "items",
        "nummatched",
        "numbermatched",
        "@odata.count",
        "total_records",
        "totalrecords",
    }
)
#: Whether there is more.
MORE = frozenset({"has_more", "hasmore", "has_next", "hasnext", "more", "has_next_page"})


def link_target(value: Any) -> str | None:
    """Return the URL of the next page from a text, a link, or a list of links."""
    if isinstance(value, dict):
        return link_target(next((value[name] for name in _TARGETS if value.get(name)), None))
    if isinstance(value, list):
        links = [each for each in value if isinstance(each, dict)]
        return link_target(next(filter(leads_on, links), None))
    return value if isinstance(value, str) and value else None


def leads_on(link: dict[str, Any]) -> bool:
    """Return whether a link says that it leads to the next page."""
    return "next" in [link.get(name) for name in _RELATIONS]
