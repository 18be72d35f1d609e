"""PostgreSQL's encodings, by the names that SET client_encoding and CREATE DATABASE accept, with Python's codecs for them.

Names: https://www.postgresql.org/docs/current/multibyte.html#CHARSET-TABLE, aliases and the comparison of names:
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/common/encnames.c. A test compares each codec with the server's own
conversion. There is no codec for EUC_TW and MULE_INTERNAL, and those for BIG5, JOHAB and the two encodings of JIS 2004 differ.
"""

from __future__ import annotations

import re

UTF8 = "UTF8"
SQL_ASCII = "SQL_ASCII"
"""The name for text that is neither checked nor converted."""

_CODECS = {
    "EUC_CN": "gb2312",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "cp936",
    "ISO_8859_5": "iso8859_5",
    "ISO_8859_6": "iso8859_6",
    "ISO_8859_7": "iso8859_7",
    "ISO_8859_8": "iso8859_8",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "LATIN1": "iso8859_1",
    "LATIN2": "iso8859_2",
    "LATIN3": "iso8859_3",
    "LATIN4": "iso8859_4",
    "LATIN5": "iso8859_9",
    "LATIN6": "iso8859_10",
    "LATIN7": "iso8859_13",
    "LATIN8": "iso8859_14",
    "LATIN9": "iso8859_15",
    "LATIN10": "iso8859_16",
    "SJIS": "cp932",
    "UHC": "cp949",
    "WIN866": "cp866",
    "WIN874": "cp874",
    "WIN1250": "cp1250",
    "WIN1251": "cp1251",
    "WIN1252": "cp1252",
    "WIN1253": "cp1253",
    "WIN1254": "cp1254",
    "WIN1255": "cp1255",
    "WIN1256": "cp1256",
    "WIN1257": "cp1257",
    "WIN1258": "cp1258",
}
_WITHOUT_CODEC = ("BIG5", "EUC_JIS_2004", "EUC_TW", "JOHAB", "MULE_INTERNAL", "SHIFT_JIS_2004", SQL_ASCII, UTF8)
_ALIASES = {
    "abc": "WIN1258",
    "alt": "WIN866",
    "iso88591": "LATIN1",
    "iso885910": "LATIN6",
    "iso885913": "LATIN7",
    "iso885914": "LATIN8",
    "iso885915": "LATIN9",
    "iso885916": "LATIN10",
    "iso88592": "LATIN2",
    "iso88593": "LATIN3",
    "iso88594": "LATIN4",
    "iso88599": "LATIN5",
    "koi8": "KOI8R",
    "mskanji": "SJIS",
    "shiftjis": "SJIS",
    "tcvn": "WIN1258",
    "tcvn5712": "WIN1258",
    "unicode": UTF8,
    "vscii": "WIN1258",
    "win": "WIN1251",
    "win932": "SJIS",
    "win936": "GBK",
    "win949": "UHC",
    "win950": "BIG5",
    "windows932": "SJIS",
    "windows936": "GBK",
    "windows949": "UHC",
    "windows950": "BIG5",
}
_EUC_JP = str.maketrans("〜‖−¢£¬¦", "～∥－￠￡￢￤")
"""Python's codec reads seven characters as others than the server, which reads them as Windows does."""
_EUC_JP_ONLY_IN_PYTHON = frozenset((*_EUC_JP, 0xA5, 0x203E))
_NOT_COMPARED = re.compile(r"[^a-z0-9]")


def _clean(name: str) -> str:
    return _NOT_COMPARED.sub("", name.lower())


_BY_CLEAN_NAME = {
    **_ALIASES,
    **{_clean(name): name for name in (*_CODECS, *_WITHOUT_CODEC)},
    **{f"windows{number}": f"WIN{number}" for number in (866, 874, *range(1250, 1259))},
}


def find_encoding(name: str) -> str:
    """Return PostgreSQL's own name of an encoding, or an empty text if it knows no such encoding."""
    return _BY_CLEAN_NAME.get(_clean(name), "")


def decode_as(data: bytes, encoding: str) -> str | None:
    """Return the text of bytes in an encoding, by its own name, as the server reads them; None without a codec for it.

    Raises UnicodeDecodeError for bytes that are not valid in it.
    """
    if encoding not in _CODECS:
        return None
    text = data.decode(_CODECS[encoding])
    return text.translate(_EUC_JP) if encoding == "EUC_JP" else text


def can_represent(text: str, encoding: str) -> bool:
    """Return True if a database with an encoding, by its own name, can store a text; False if that is not certain."""
    if text.isascii() or encoding in (UTF8, SQL_ASCII):
        return True
    codec = _CODECS.get(encoding)
    if codec is None or (encoding == "EUC_JP" and any(ord(character) in _EUC_JP_ONLY_IN_PYTHON for character in text)):
        return False
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    # Python composes the syllables that EUC_KR lacks of several characters, which the server does not.
    return encoding != "EUC_KR" or all(len(character.encode(codec)) <= 2 for character in set(text))
