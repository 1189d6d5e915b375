"""Common names in responses for the next page and for the number of all records."""

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
