"""Link headers are read as RFC 8288 says, whoever writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.polite.links import Link, links, next_link


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("", None),
        ('<https://e.com/2>; rel="next"', "https://e.com/2"),
        ("</2>;rel=next", "/2"),
        ("</2>; rel='next'", "/2"),
        ("</2>; title='a, b'; rel='prev next', </3>", "/2"),
        ('</1>; rel="prev", </3>; title="a, <b>"; rel="next"', "/3"),
        ('</1>; title="a \\", <x>; rel=next"; rel=prev, </3>; rel=next', "/3"),
        ('</9>; rel="last next"', "/9"),
        ('</9>; rel="last\tnext  "', "/9"),
        ('</9>; REL="Next"', "/9"),
        ("</9>; Rel = NEXT", "/9"),
        ("</a,b;c=d>;;rel=next", "/a,b;c=d"),
        ("< /2 >; rel=next", "/2"),
        ("</2> rel=next", "/2"),
        ('</9>; rel="nextish"', None),
        ("</9>; rel=prev; rel=next", None),
        ('</9>; rel=next; anchor="/another"', None),
        ('</9>; rel=next; anchor=""', "/9"),
        ("</9>; title='it's next'; rel=prev", None),
        ("</9>", None),
        ("</9>; rel", None),
        ("</9>; rel=", None),
        ("junk, </2>; rel=next", "/2"),
        ("<" * 5000 + '"' * 5000, None),
    ],
)
def test_the_next_page_is_found_in_a_link_header(header: str, target: str | None) -> None:
    assert next_link(header) == target


_TOKENS = st.text("abcXYZ019!#$%&+-.^_|~", min_size=1, max_size=6)
_SPACE = st.text(" \t", max_size=2)


@st.composite
def _written(draw: st.DrawFn) -> tuple[str, Link]:
    """A link, and one way of writing it."""
    target = draw(st.text("abc/?&=;,:'()%20 ", max_size=12)).strip()
    read: dict[str, str] = {}
    text = f"<{target}>"
    for _ in range(draw(st.integers(0, 4))):
        name, is_quoted = draw(_TOKENS), draw(st.booleans())
        value = draw(st.text("ab ,;<>=\"\\'é", max_size=8) if is_quoted else _TOKENS)
        written = value
        if is_quoted:
            written = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        space = [draw(_SPACE) for _ in range(4)]
        text += f"{space[0]};{space[1]}{name}{space[2]}={space[3]}{written}"
        read.setdefault(name.lower(), value)
    return text, Link(target, read)


@given(st.lists(_written(), max_size=4), _SPACE, _SPACE)
def test_every_link_is_read_as_it_was_written(
    written: list[tuple[str, Link]], before: str, behind: str
) -> None:
    header = f"{before},{behind}".join(text for text, _ in written)

    assert list(links(header)) == [link for _, link in written]


@given(st.text("<>;,=\"\\' relnextanchor/", max_size=60))
def test_no_header_breaks_it(header: str) -> None:
    for link in links(header):
        assert link.target in header


@pytest.mark.parametrize("piece", ["<", "<a>;", '<a>;a="', "<a>;a='b", '"', '<a>;a="\\', ";a='"])
def test_no_header_takes_long(piece: str) -> None:
    assert sum(1 for _ in links(piece * (128 * 1024 // len(piece)))) >= 0
