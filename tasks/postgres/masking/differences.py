"""The difference of two texts without their secrets."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from tasks.postgres.masking.masked import mask_secrets


def diff_masked(
    before: str, after: str, names: tuple[str, str] = ("", ""), *, mask: Callable[[str], str] = mask_secrets
) -> Iterator[str]:
    """Yield the lines of a unified difference of two texts, without their secrets.

    A masked text has as many lines as before. What is compared is the lines as they were, by a number behind each masked one, so
    that a changed password is a line of *** that changed.
    """
    numbers: dict[str, int] = {}

    def number_lines(text: str) -> list[str]:
        pairs = zip(mask(text).splitlines(), text.splitlines(), strict=True)
        return [f"{masked}\0{numbers.setdefault(line, len(numbers))}" for masked, line in pairs]

    lines = difflib.unified_diff(number_lines(before), number_lines(after), *names, lineterm="")
    return (line.partition("\0")[0] for line in lines)
