"""What a proof found, beside what was promised."""

from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One finding: the promise it is of, what was found, what was promised, and whether it holds.

    `more` says what else is worth knowing, such as how much was tried.
    """

    promise: str
    value: str
    bar: str
    ok: bool
    more: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        line = f"promise={self.promise} value={self.value} bar={self.bar}"
        return f"{line} {'ok' if self.ok else 'FAIL'} {self.more}".rstrip()

    @classmethod
    def parse(cls, line: str) -> "Figure | None":
        """Read a line that `str` has written; None for any other."""
        start = line.find("promise=")
        words = line[start:].split() if start >= 0 else []
        if len(words) < 4 or not words[1].startswith("value=") or not words[2].startswith("bar="):
            return None
        promise, value, bar = (word.partition("=")[2] for word in words[:3])
        return cls(promise, value, bar, words[3] == "ok", " ".join(words[4:]))


def reported(promise: str, value: Any, bar: Any, ok: bool, **more: Any) -> Figure:
    """Print a figure with its bar, and return it; spaces are removed from both."""
    rest = " ".join(f"{name}={_word(value)}" for name, value in more.items())
    figure = Figure(promise, _word(value), _word(bar), bool(ok), rest)
    print(figure, flush=True)
    return figure


def _word(value: Any) -> str:
    if isinstance(value, dict):
        value = ",".join(f"{name}:{each}" for name, each in value.items())
    return str(value).replace(" ", "")
