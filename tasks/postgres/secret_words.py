"""The words by which a name or a text speaks of a secret: a password, a token, a key, a credential.

A word counts wherever it is a part of a name, for example `smtp_password`, `apiKey` or `user_tokens`. KEY does not count where
the grammar of SQL uses it: https://www.postgresql.org/docs/current/sql-createtable.html, and
https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE for the locking clauses.
"""

from __future__ import annotations

import re

HIDDEN = "***"
"""What replaces a secret."""
EXAMPLE_URL = "postgresql://user:password@host:5432/database"
"""The URL in messages; it contains no secret."""
_ANYWHERE = ("passwd", "password", "passwort", "passphrase", "passcode", "pgpass", "secret", "token", "credential")
"""Words that count within any other."""
_APART = ("pwd", "pw", "jwt", "bearer", "pass", "crypt", "encrypt", "decrypt", "hmac", "pgp_")
"""Words that count only between characters that are not letters, or with a capital after a small letter."""
_KINDS_OF_KEYS = ("api", "access", "private", "ssl", "auth", "sign", "signing", "encryption", "master", "session", "secret")
"""What makes KEY as certain a word as the others."""
_CANDIDATE = re.compile("|".join((*_ANYWHERE, *sorted(_APART, key=len, reverse=True), "key")))
_OTHER_WORD = re.compile("secretar|token(?:i[sz])")
_OF_GRAMMAR = re.compile(
    r"\b(?:primary|foreign|unique)[\s_]+\Z|\bfor\s+(?:no\s+)?\Z|\bconstraint\s+(?:if\s+exists\s+)?\"?[a-z0-9_$.]*_\Z"
)
"""What precedes KEY in the grammar, and in the names that PostgreSQL chooses for UNIQUE constraints."""
_WINDOW = 80
"""The number of characters before KEY that decide whether it belongs to the grammar."""

OPTION_NAMES = "user|pass|pwd|secret|token|key|credential|conninfo|connection|service|cert|auth|jwt"
"""A regular expression, of PostgreSQL and of Python, for the names of options whose values must not be shown."""
OPTION_VALUES = "passw|pwd|secret|token=|key=|://"
"""One for values that contain a secret themselves, for example a connection string."""
SECRET_PARAMETERS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
"""The parameters of a connection that are secret: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""


def speaks_of_secrets(text: str, *, keys: bool = True) -> bool:
    """Return True if a text contains a word for a secret; without `keys`, the word KEY alone does not count."""
    lowered = text.lower()
    # Searching for each word is much faster than one expression for all of them, and most texts contain none.
    if not any(word in lowered for word in (*_ANYWHERE, *_APART, "key")):
        return False
    if len(lowered) != len(text):
        text = lowered  # A few letters have a lower case of two characters.
    return any(_counts(text, lowered, match.start(), match[0], keys) for match in _CANDIDATE.finditer(lowered))


def _counts(text: str, lowered: str, start: int, word: str, keys: bool) -> bool:
    if word in _ANYWHERE:
        return _OTHER_WORD.match(lowered, start) is None
    if not _stands_apart(text, lowered, start, word):
        return False
    if word != "key":
        return word != "pass" or lowered[start - 1 : start] == "_"
    before = lowered[max(start - _WINDOW, 0) : start]
    if before.rstrip("_").endswith(_KINDS_OF_KEYS):
        return True
    return keys and _OF_GRAMMAR.search(before) is None


def _stands_apart(text: str, lowered: str, start: int, word: str) -> bool:
    """Return True if a word, perhaps in the plural, begins and ends where a word of a name does."""
    end = start + len(word)
    end += lowered[end : end + 1] == "s"
    before, first, after = text[start - 1 : start] if start else "", text[start], text[end : end + 1]
    begins = not before.isalpha() or (before.islower() and first.isupper())
    if word == "key" and not begins:
        begins = lowered[max(start - _WINDOW, 0) : start].endswith(_KINDS_OF_KEYS)
    ends = word == "pgp_" or not after.isalpha() or (after.isupper() and text[end - 1].islower())
    return begins and ends
