"""Encodings and Python's codecs for them, against the server's own conversion."""

from collections.abc import Iterator

from tasks.postgres import encodings
from tasks.postgres.encodings import can_represent, decode_as, find_encoding
from tests.kit.databases import Database

CODECS = encodings._CODECS
ONLY_OF_CLIENTS = {"GB18030", "GBK", "SJIS", "UHC"}
CHARACTERS = "".join(chr(code) for code in range(0x80, 0x10000) if not 0xD800 <= code < 0xF900)
"""All characters of the basic plane beyond ASCII, without the private ones, for which servers have no conversion."""
FILLER = "\u3164"


def list_bytes(encoding: str) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of every character that an encoding has, with the character."""
    codec = CODECS[encoding]
    for character in CHARACTERS if encoding == "EUC_KR" else CHARACTERS.encode(codec, "ignore").decode(codec):
        data = character.encode(CODECS[encoding], "ignore")
        # Python encodes a syllable that EUC_KR lacks as a sequence of eight bytes, which begins with a filler.
        if data and len(data) <= 4 and character != FILLER:
            yield data, decode_as(data, encoding) or ""


def test_the_server_reads_the_same_characters_in_every_encoding(database: Database) -> None:
    differing = []
    for encoding in CODECS:
        pairs = list(list_bytes(encoding))
        if encoding == "SJIS":
            pairs = [(data, character) for data, character in pairs if character != "\x80"]
        if encoding == "EUC_JP":
            pairs = [(data, character) for data, character in pairs if character not in "¥‾～"]
        data, text = (part.join(each) for part, each in zip((b"", ""), zip(*pairs, strict=True), strict=True))  # type: ignore[attr-defined]
        if database.query("SELECT convert_from(%s, %s)", data, encoding) != [(text,)]:
            differing.append(encoding)
        assert decode_as(data, encoding) == text
    assert differing == []


def test_the_server_stores_what_counts_as_representable(database: Database) -> None:
    for encoding in CODECS.keys() - ONLY_OF_CLIENTS:
        text = "".join(character for _, character in list_bytes(encoding))
        if encoding == "EUC_JP":
            text = "".join(character for character in text if can_represent(character, encoding))
        assert len(text) > 50
        assert can_represent(text, encoding)
        assert not can_represent(f"{text}\U0001f600", encoding)
        assert database.query("SELECT convert_from(convert_to(%s, %s), %s) = %s", text, encoding, encoding, text) == [(True,)]


def test_the_server_has_the_same_names(database: Database) -> None:
    names = [*CODECS, *encodings._WITHOUT_CODEC, *encodings._ALIASES, "Windows-1252", "win1252", "iso-8859-1", "latin-foo"]
    query = (
        "SELECT pg_encoding_to_char(pg_char_to_encoding(name)) FROM unnest(%s::text[]) WITH ORDINALITY n(name, at) ORDER BY at"
    )
    assert [row[0] for row in database.query(query, names)] == [find_encoding(name) for name in names]
