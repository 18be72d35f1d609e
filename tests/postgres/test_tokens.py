"""The tokens of SQL text, against PostgreSQL's own scanner."""

import pglast.parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.postgres.tokens import BLANKS, SPACE, is_closed, read_string, strip_comments, tokenize
from tests.kit.databases import Database

PIECES = st.sampled_from(
    [
        *" \t\n\r;,.()[]:$\\'\"+-*/%@~!?|&#<>=^`eEuUbBxX019_aäß中\u00a0\0",
        *(
            "--",
            "/*",
            "*/",
            "''",
            '""',
            "$$",
            "$a$",
            "$ä1$",
            "E'",
            "U&'",
            'U&"',
            "B'",
            "\\'",
            "1.5e-3",
            "0x1F",
            "::",
            ":=",
            "..",
            "$1",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=20)

BORDERED = st.sampled_from(
    [
        "select", "Größe", "_a1$", '"a ""b"" -- c"', 'U&"d\\00e4"', "'it''s -- not'", "''", "E'it\\'s \\\\'", "U&'\\00e4'",
        "B'01'", "X'1F'", "$$a; 'b$$", "$tag$ $$ -- $tag$", "1", "1.5", "1.", ".5", "1e10", "2.5E-3", "0x1F", "0o17", "0b01",
        "1_000", "$1", "-- a comment\n", "/* a /* nested */ one */", "::", ":=", "..", "=>", "<=", ">=", "<>", "!=", "+", "-",
        "->>", "@-", "~~*", "*", "/", "(", ")", "[", "]", ",", ";", ":", ".", "'a'\n'b'", "E'a' -- c\n '\\''", "'a'\r'b'",
        "1..2", "a.b", "-1", "=-1", "a=-1", "<>-1", "@-1", "*-", "1-1", "1--1\n", "2*/**/3", "a/*b*/-c", "=+-", "a$$b$$",
        "$1+$2", "x'1'", "t.1", "$a b", "1;",
    ]
)  # fmt: skip
"""Pieces of valid SQL, to be joined by spaces."""

KINDS = {
    "line_comment": {"SQL_COMMENT"},
    "block_comment": {"C_COMMENT"},
    "string": {"SCONST"},
    "escape_string": {"SCONST"},
    "dollar_string": {"SCONST"},
    "unicode_string": {"USCONST"},
    "bit_string": {"BCONST", "XCONST"},
    "identifier": {"IDENT"},
    "unicode_identifier": {"UIDENT"},
    "number": {"ICONST", "FCONST"},
    "parameter": {"PARAM"},
    "operator": {
        "Op",
        "LESS_EQUALS",
        "GREATER_EQUALS",
        "NOT_EQUALS",
        "EQUALS_GREATER",
        *(f"ASCII_{ord(sign)}" for sign in "+-*/%<>=^"),
    },
    "punctuation": {"TYPECAST", "COLON_EQUALS", "DOT_DOT", *(f"ASCII_{ord(sign)}" for sign in "()[],;:.")},
    "other": {"ASCII_36", "ASCII_92"},
}
"""The names that PostgreSQL's scanner has for the tokens of each kind."""


def list_texts(text: str) -> list[str]:
    return [token.text for token in tokenize(text, skip=SPACE)]


@given(TEXTS, st.integers(0, 10))
def test_the_tokens_of_any_text_join_to_the_text(text: str, start: int) -> None:
    tokens = list(tokenize(text, start))
    assert "".join(token.text for token in tokens) == text[start:]
    assert all(token.text and text[token.start : token.end] == token.text for token in tokens)
    assert list(tokenize(text, start, skip=BLANKS)) == [token for token in tokens if token.kind not in BLANKS]


@given(st.lists(BORDERED, max_size=12).map(" ".join))
def test_tokens_are_those_of_the_scanner_of_postgresql(text: str) -> None:
    scanned = pglast.parser.scan(text)
    tokens = list(tokenize(text, skip=SPACE))
    assert [(token.start, token.end) for token in tokens] == [(token.start, token.end + 1) for token in scanned]
    for token, other in zip(tokens, scanned, strict=True):
        is_word = other.kind != "NO_KEYWORD" or other.name == "IDENT"
        assert other.name in KINDS[token.kind] if token.kind != "word" else is_word


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a 'it''s' b", ["a", "'it''s'", "b"]),
        (r"E'it\'s' b", [r"E'it\'s'", "b"]),
        (r"e'\\' 'b'", [r"e'\\'", "'b'"]),
        ("E'a' -- c\n  '\\'; b'; c", ["E'a' -- c\n  '\\'; b'", ";", "c"]),
        ("E'a'\r'\\'; b'; c", ["E'a'\r'\\'; b'", ";", "c"]),
        ("'a' 'b'", ["'a'", "'b'"]),
        ("'a' /* c */\n'b'", ["'a'", "/* c */", "'b'"]),
        (r"'\' \ 'x'", [r"'\'", "\\", "'x'"]),
        (r"U&'\0041' UESCAPE '!'", [r"U&'\0041'", "UESCAPE", "'!'"]),
        (r"N'a' te'\'", ["N", "'a'", "te", r"'\'"]),
        (r'"a\"";" b', [r'"a\"";"', "b"]),
        ("$$a;'$x$b$$ c", ["$$a;'$x$b$$", "c"]),
        ("$é1$ $$ $é1$;", ["$é1$ $$ $é1$", ";"]),
        ("AS $$ a;\n$$; 'b'", ["AS", "$$ a;\n$$", ";", "'b'"]),
        ("a$$b$$ $1$", ["a$$b$$", "$1", "$"]),
        ("-- it's\r\nb", ["-- it's", "b"]),
        ("/* a /* b */ ' */ c", ["/* a /* b */ ' */", "c"]),
        ("a-b/c", ["a", "-", "b", "/", "c"]),
        ("Größe<>12", ["Größe", "<>", "12"]),
        ("a=-1 @-1", ["a", "=", "-", "1", "@-", "1"]),
        ("1..2 3.x", ["1", "..", "2", "3.", "x"]),
        (" \t\n", []),
    ],
)
def test_text_is_divided_into_tokens(text: str, pieces: list[str]) -> None:
    assert list_texts(text) == pieces


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("'open ; b", "string"),
        ("'open ''", "string"),
        ("E'open\\", "escape_string"),
        ("E'open\\'", "escape_string"),
        ("U&'open", "unicode_string"),
        ("x'1", "bit_string"),
        ('"open ; b', "identifier"),
        ('U&"open', "unicode_identifier"),
        ("$a$ open ; $$ b", "dollar_string"),
        ("/* open /* */ ; b", "block_comment"),
    ],
)
def test_a_token_that_is_not_closed_extends_to_the_end(text: str, kind: str) -> None:
    word, token = tokenize(f"a {text}", skip=SPACE)
    assert (token.kind, token.text) == (kind, text)
    assert not is_closed(token)
    assert is_closed(word)


@pytest.mark.parametrize(
    "text",
    [
        "'a'",
        "''''",
        "E'a\\\\'",
        "U&'a'",
        "x'1'",
        '"a"',
        'U&"a"',
        "$a$ $$ $a$",
        "$$$$",
        "/* /* */ */",
        "/**/",
        "-- a",
        "1",
        "a",
        ";",
    ],
)
def test_a_token_with_its_end_is_closed(text: str) -> None:
    [token] = tokenize(text)
    assert is_closed(token)


@pytest.mark.parametrize("text", ["'it''s'", r"E'a\\b\'c'''", r"'a\b'", "$$it's$$", "$x$ $$ $x$", "E''", "''", "$$$$", "'a\nb'"])
def test_the_value_of_a_string_is_the_one_the_server_reads(any_database: Database, text: str) -> None:
    [token] = tokenize(text)
    assert any_database.query(f"SELECT {text}::text") == [(read_string(token),)]


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("a -- b\nc", "a  \nc"),
        ("a/* /* b */ */c", "a c"),
        ("'--' \"/*\" $a$x -- y\n$a$ -- z", "'--' \"/*\" $a$x  \n$a$  "),
        ("$$ -- open", "$$  "),
        ("a", "a"),
    ],
)
def test_comments_are_replaced_by_spaces(text: str, stripped: str) -> None:
    assert strip_comments(text) == stripped
