"""No test accepts an arbitrary error: one that expects `Exception` also passes when the code breaks in another way."""

import ast
from collections.abc import Iterator
from pathlib import Path

_TESTS = Path(__file__).parent
_TOO_BROAD = {"Exception", "BaseException"}


def find_broad_raises(text: str) -> Iterator[int]:
    """Yield the lines of `pytest.raises` that name Exception or BaseException, with a `match` or without."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "raises":
            names = {inner.id for inner in ast.walk(node.args[0]) if isinstance(inner, ast.Name)} if node.args else set()
            if names & _TOO_BROAD:
                yield node.lineno


def test_no_test_accepts_every_error() -> None:
    files = sorted(_TESTS.rglob("*.py"))
    assert not [f"{path.relative_to(_TESTS)}:{line}" for path in files for line in find_broad_raises(path.read_text())]


def test_a_broad_error_is_found() -> None:
    lines = ("pytest.raises(Exception, match='no')", "pytest.raises((OSError, BaseException))", "pytest.raises(OSError)")
    assert list(find_broad_raises("\n".join(lines))) == [1, 2]
