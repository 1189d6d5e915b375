"""The programs of the how-to for readers, as far as they need nothing that has to be downloaded.

`make prove P=CLIENTS` runs them all.
"""

import csv
import io
import re
import sys
from pathlib import Path
from subprocess import run
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.docs.demo import Demo, printed
from tests.docs.markdown import DOCS, blocks

PROGRAMS = {
    block.title: block.text
    for block in blocks(DOCS / "how-to/read-from-other-programs.md")
    if block.title
}
FRAMES = ("with_pandas.py", "with_polars.py")
#: The URLs of a program: the question alone counts.
EXPORT = re.compile(r"(/data/[a-z_]+\?format=[^\"]+)")


def test_the_program_with_httpx_prints_what_the_page_says(demo: Demo, tmp_path: Path) -> None:
    program = PROGRAMS["with_httpx.py"]
    script = tmp_path / "with_httpx.py"
    script.write_text(demo.adapted(program), encoding="utf-8")

    ended = run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)

    assert ended.stderr == ""
    assert ended.stdout.splitlines() == printed(program) == ["30", "2", "0"]


@pytest.mark.parametrize("name", FRAMES)
def test_the_exports_of_data_frames_have_as_many_records_as_the_page_says(
    demo: Demo, name: str
) -> None:
    exports = EXPORT.findall(PROGRAMS[name])
    headers = {"Authorization": f"Bearer {demo.token}"}

    counts = []
    for export in exports:
        answer = httpx.get(demo.url + export, headers=headers).raise_for_status()
        [written] = parse_qs(urlsplit(export).query)["format"]
        assert written in answer.headers["content-type"]
        counts.append(_records_in(answer.text, written))
    assert counts[:3] == [20, 3, 2]


def _records_in(text: str, written: str) -> int:
    if written == "csv":
        return len(list(csv.DictReader(io.StringIO(text, newline=""))))
    return text.count("\n")


def test_a_token_in_the_url_is_taken(demo: Demo) -> None:
    address = demo.url.replace("http://", f"http://any:{demo.token}@")

    answer = httpx.get(f"{address}/data/data_points?format=csv")

    assert answer.status_code == 200
