"""The words by which a name or a text speaks of a secret: a password, a token, a key, a credential.

A word counts wherever it is a part of a name, for example `smtp_password`, `apiKey` or `user_tokens`. KEY does not count where
the grammar of SQL uses it: https://www.postgresql.org/docs/current/sql-createtable.html, and
https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE for the locking clauses.
"""

from __future__ import annotations

import re

_LONG = (
    r"passw(?:or)?d|passphrase|passcode|pgpass|secret(?!ar)|tokens?(?!i[sz])|credential"
    r"|(?:api|access|private|ssl|auth|sign(?:ing)?|encrypt(?:ion)?|master|session|shared)_?keys?(?![a-z])"
)
"""Words that count within any other."""
_SHORT = r"pwd|pw|jwt|bearer|_pass|crypt|encrypt|decrypt|hmac|pgp_(?:sym|pub)_\w+"
"""Words that count only between characters that are not letters."""
_STRONG = rf"{_LONG}|(?<![a-z])(?:{_SHORT})(?![a-z])"
_KEY = r"(?<![a-z])keys?(?![a-z])"
_CAMEL = re.compile(r"[a-z0-9](?:Keys?|Pwd|Pw|Jwt)(?![a-z])")
_GRAMMAR = (
    r"\b(?:primary|foreign|unique)[\s_]+keys?(?![a-z])|\bfor\s+key\s+share\b|\bfor\s+no\s+key\s+update\b"
    r'|\bconstraint\s+(?:if\s+exists\s+)?"?[a-z0-9_$.]*_key\b'
)
"""KEY in the grammar, and in the names that PostgreSQL chooses for UNIQUE constraints."""
_ANY = re.compile(rf"(?P<grammar>{_GRAMMAR})|{_STRONG}|{_KEY}", re.IGNORECASE)
_CERTAIN = re.compile(_STRONG, re.IGNORECASE)

OPTION_NAMES = "user|pass|pwd|secret|token|key|credential|conninfo|connection|service|cert|auth|jwt"
"""A regular expression of PostgreSQL for the names of options whose values must not be shown; `user` hides the owner of them."""
OPTION_VALUES = "passw|pwd|secret|token=|key=|://"
"""One for values that contain a secret themselves, for example a connection string."""

SECRET_PARAMETERS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
"""The parameters of a connection that are secret: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""


def speaks_of_secrets(text: str, *, keys: bool = True) -> bool:
    """Return True if a text contains a word for a secret; without `keys`, the word KEY alone does not count."""
    if not keys:
        return _CERTAIN.search(text) is not None
    found = any(match["grammar"] is None or _CERTAIN.search(match[0]) for match in _ANY.finditer(text))
    return found or _CAMEL.search(text) is not None
