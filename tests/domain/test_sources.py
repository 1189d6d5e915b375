"""A source is asked at its address, parameters included, and its format says what to expect."""

import pytest

from domain.sources import CsvFormat, JsonFormat, Request


@pytest.mark.parametrize(
    ("request_", "address"),
    [
        (Request("http://e.com/a"), "http://e.com/a"),
        (Request("/a folder/a.csv"), "/a folder/a.csv"),
        (Request("http://e.com/a", {"n": "1", "q": "ä b&c"}), "http://e.com/a?n=1&q=%C3%A4+b%26c"),
        (Request("http://e.com/a?x=%2F#top", {"n": "1"}), "http://e.com/a?x=%2F&n=1#top"),
        (Request("http://e.com", {"n": "1"}), "http://e.com?n=1"),
    ],
)
def test_the_address_has_the_parameters_behind_what_the_url_has(
    request_: Request, address: str
) -> None:
    assert request_.address == address


def test_only_json_says_by_itself_where_it_ends() -> None:
    assert (JsonFormat().media_type, JsonFormat().is_self_delimiting) == ("application/json", True)
    assert (CsvFormat().media_type, CsvFormat().is_self_delimiting) == ("text/csv", False)
