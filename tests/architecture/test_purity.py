"""The rules of the architecture, checked on the source."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import entrypoints

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "application", "adapters", "entrypoints")
#: The packages that each inner package may import besides the standard library.
ALLOWED = {
    "domain": {"domain", "msgspec"},
    "application": {"application", "domain", "msgspec"},
}
#: Time, randomness and settings are passed in.
IMPURE_MODULES = {"random", "secrets", "time", "uuid"}
IMPURE_NAMES = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "uuid.uuid4",
    "os.environ",
    "os.getenv",
    "os.urandom",
}
#: Adapters may measure durations, which are no time of day.
STOPWATCHES = {"time", "secrets"}
MAY_BE_IMPURE = ("adapters/system/", "entrypoints/")
LONGEST_FILE = 400


def sources(*folders: str) -> list[Path]:
    """Return the Python files below these folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    """Return a file's path as failures show it."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: ast.Module) -> Iterator[str]:
    """Yield the top-level packages that a module imports, at any depth."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield (node.module or "").split(".")[0]


def dotted(module: ast.Module) -> Iterator[str]:
    """Yield every `name.attribute` of a module, also if it is imported by name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            yield f"{node.value.attr}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_core_imports_only_what_it_may() -> None:
    offenders = [
        f"{named(path)} imports {name}"
        for path in sources("domain", "application")
        for name in imports(tree(path))
        if name not in ALLOWED[named(path).split("/")[0]] | sys.stdlib_module_names
    ]

    assert not offenders, "\n".join(offenders)


def impurities(path: Path) -> set[str]:
    """Return the uses of time, randomness and settings in a file."""
    module = tree(path)
    stopwatches = STOPWATCHES if named(path).startswith("adapters/") else set()
    return (set(imports(module)) & IMPURE_MODULES - stopwatches) | (
        set(dotted(module)) & IMPURE_NAMES
    )


def test_time_chance_and_settings_come_from_outside() -> None:
    offenders = [
        f"{named(path)} uses {name}"
        for path in sources(*PACKAGES)
        if not named(path).startswith(MAY_BE_IMPURE)
        for name in impurities(path)
    ]

    assert not offenders, "\n".join(offenders)


def test_a_file_has_one_subject_and_a_first_sentence() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sources(*PACKAGES)}
    too_long = [
        f"{named(path)} has {len(text.splitlines())} lines, more than {LONGEST_FILE}"
        for path, text in texts.items()
        if len(text.splitlines()) > LONGEST_FILE
    ]
    speechless = [
        f"{named(path)} has no docstring"
        for path, text in texts.items()
        if text and not ast.get_docstring(ast.parse(text))
    ]

    offenders = too_long + speechless
    assert not offenders, "\n".join(offenders)


def test_entrypoints_is_ours() -> None:
    assert Path(entrypoints.__file__ or "").parent == ROOT / "entrypoints"


# ---------------------------------------------------------------- tests

BANNED_IN_TESTS = {
    "mock",
    "Mock",
    "MagicMock",
    "AsyncMock",
    "patch",
    "monkeypatch",
    "skip",
    "skipif",
}


def words(module: ast.Module) -> Iterator[str]:
    """Yield every name in a module: variables, attributes, arguments and imports."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
            yield from (node.module or "").split(".")


def waits(module: ast.Module) -> Iterator[str]:
    """Yield where a module sleeps; sleeping for no time only lets other tasks run."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        idle = len(node.args) == 1 and ast.unparse(node.args[0]) in ("0", "0.0")
        if called in ("time.sleep", "asyncio.sleep") and not idle:
            yield f"{called} in line {node.lineno}"


TESTS = [
    path
    for path in sources("tests")
    if not named(path).startswith(("tests/bench/", "tests/prove/", "tests/upstreams/"))
]


def test_tests_use_no_mocks_no_patches_no_skips_and_no_sleeps() -> None:
    modules = {path: tree(path) for path in TESTS}
    offenders = [
        f"{named(path)} has {found}"
        for path, module in modules.items()
        for found in [*sorted(BANNED_IN_TESTS & set(words(module))), *waits(module)]
    ]

    assert not offenders, "\n".join(offenders)


def test_contracts_do_not_ask_which_adapter_they_have() -> None:
    offenders = [
        named(path) for path in sources("tests/contract") if "isinstance" in words(tree(path))
    ]

    assert not offenders, "\n".join(offenders)
