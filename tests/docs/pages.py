"""A page of the documentation as a list of steps: commands with the output that it shows, and files that the reader writes.

A command follows `$ ` in a block fenced as `console`; the lines up to the next command are its output. A block of SQL
after `<!-- file: PATTERN -->` is the new text of the file that the pattern matches.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROMPT = "$ "
_FENCE = re.compile(r"```(\w*)")
_FILE = re.compile(r"<!-- file: (\S+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the lines in it, and the number of its first line, which counts from 1."""

    language: str
    lines: tuple[str, ...]
    number: int
    file: str = ""
    """The pattern of the file whose text the block shows."""


@dataclass(frozen=True)
class Example:
    """A command and the output that a page shows for it; `number` is the line of the command."""

    command: str
    output: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class FileText:
    """A text that the reader writes into a file."""

    pattern: str
    text: str


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page. Raises ValueError if the last one is not closed."""
    language, start, file = "", 0, ""
    inside: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is None:
            fence = _FENCE.match(line)
            if fence:
                language, start, inside = fence[1], number + 1, []
            elif line:
                named = _FILE.fullmatch(line)
                file = named[1] if named else ""
        elif line == "```":
            yield Block(language, tuple(inside), start, file)
            inside, file = None, ""
        else:
            inside.append(line)
    if inside is not None:
        raise ValueError(f"the block of line {start} is not closed")


def read_steps(text: str) -> Iterator[Example | FileText]:
    """Yield the steps of a page in their order."""
    for block in read_blocks(text):
        if block.file:
            yield FileText(block.file, "".join(f"{line}\n" for line in block.lines))
        elif block.language == "console":
            yield from _read_examples(block)


def read_inline_commands(text: str, program: str = "inv") -> list[str]:
    """Return the commands of a program that stand in the running text, each once."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return list(dict.fromkeys(re.findall(rf"`({program} [^`]+)`", outside)))


def write_outputs(path: Path, outputs: Sequence[tuple[Example, Sequence[str]]]) -> None:
    """Replace the outputs that a page shows."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for example, output in reversed(outputs):
        lines[example.number : example.number + len(example.output)] = output
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _read_examples(block: Block) -> Iterator[Example]:
    starts = [index for index, line in enumerate(block.lines) if line.startswith(PROMPT)]
    for start, end in zip(starts, [*starts[1:], len(block.lines)], strict=True):
        command = block.lines[start].removeprefix(PROMPT)
        yield Example(command, block.lines[start + 1 : end], block.number + start)
