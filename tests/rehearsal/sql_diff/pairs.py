"""Read the pairs of schemas in pairs.sql: renames, types, extensions, views, sequences, privileges, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.rehearsal.sql_diff.exact import EXACT, SchemaPair

_MARK = re.compile(r"-- (since|rename|drop|recreate|outcome|change|new):[ ]?(.*)")


def read_examples(path: Path) -> Iterator[SchemaPair]:
    """Yield the examples of a file."""
    for part in path.read_text(encoding="utf-8").split("-- pair: ")[1:]:
        name, _, rest = part.partition("\n")
        texts: dict[str, list[str]] = {"old": []}
        words: dict[str, list[str]] = {"since": [], "rename": [], "drop": [], "recreate": [], "outcome": []}
        section = "old"
        for line in rest.splitlines():
            if match := _MARK.fullmatch(line):
                if match[1] in words:
                    words[match[1]].append(match[2])
                else:
                    section = match[1]
                    texts[section] = []
            else:
                texts[section].append(line)
        old, change, new = ("\n".join(texts[key]).strip() if key in texts else None for key in ("old", "change", "new"))
        outcome = words["outcome"][0] if words["outcome"] else EXACT
        yield SchemaPair(
            name, old or "", change or "", new, outcome, tuple(words["rename"]), tuple(words["drop"]), bool(words["recreate"]),
            int(words["since"][0]) if words["since"] else 14,
        )  # fmt: skip


EXAMPLES = tuple(read_examples(Path(__file__).with_suffix(".sql")))
