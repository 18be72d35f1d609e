"""The texts that the ledger stores: which of them the log vouches for, so that they may run.

Other roles may be able to write to schema_migrations_scripts, so a stored text is input. It runs only if its SHA-256 is the one
that the log recorded when this tool applied the migration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tasks.postgres.masking import LONG, has_secrets, mask_secrets, mask_urls
from tasks.postgres.representable import restore_text
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.ledger.history import FOUND
from tasks.runner.ledger.reading import Ledger

if TYPE_CHECKING:
    from tasks.runner.files.loadable_text import LoadableText

STORE = "store"
"""The action of the log rows with the digests of texts that a repair stored."""
DIGESTS = ("up_digest", "down_digest", "up_text_digest", "down_text_digest", "up_size", "down_size")
"""The columns of the log: the SHA-256 of the up and down file, those of their texts where these are not the files' bytes, and the
sizes of the files whose texts are not stored because of these."""
LARGEST_TEXT = 128 * 1024 * 1024
"""The bytes of a file above which its text is never stored: PostgreSQL reads literals of up to 512 MB, and statements of up to
1 GB, and a text can become three times as long by escapes. https://www.postgresql.org/docs/current/limits.html"""

_MASKED_HEAD = "-- migrate: stored without its passwords, so that it cannot run\n"
"""Marks a stored text. Its form is that of a directive, so that no version of this tool runs the masked text."""
_STORED = """
WITH RECURSIVE trace (version, name, id, action, row) AS (
    SELECT v.version, v.version, 9223372036854775807, 'rename', NULL::jsonb FROM unnest(%s::text[]) AS v (version)
    UNION ALL
    SELECT t.version, CASE WHEN e.action = 'rename' AND starts_with(e.row ->> 'note', 'was ') THEN substr(e.row ->> 'note', 5)
                           ELSE t.name END, e.id, e.action, e.row
      FROM trace t
     CROSS JOIN LATERAL (
           SELECT l.id, l.action::text, to_jsonb(l) FROM {log} l
            WHERE l.version = t.name AND l.id < t.id AND l.outcome = 'finished'
              AND (l.action IN ('migrate', 'rollback', 'adopt', 'rename', 'store')
                   OR l.action = 'repair' AND to_jsonb(l) ->> 'note' IN ('drop row', 'record checksum'))
            ORDER BY l.id DESC LIMIT 1) AS e (id, action, row)
     WHERE t.action = 'rename' AND t.row ->> 'up_digest' IS NULL
)
SELECT DISTINCT ON (t.version) t.version, s.up_text, s.down_text, t.action, t.row ->> 'note', t.row ->> 'up_digest',
       t.row ->> 'down_digest', t.row ->> 'up_text_digest', t.row ->> 'down_text_digest', t.row ->> 'up_size',
       t.row ->> 'down_size', t.row ->> 'git_revision', t.row ->> 'version'
  FROM trace t LEFT JOIN {scripts} s ON s.version = t.version
 ORDER BY t.version, t.id
"""
"""Each version with its stored texts, and with the newest log row that put the version or its texts into the ledger, or removed
them; the row may be one of an older name. A rename with a digest is that of a squash, whose text is not the old one."""

_SIZE = re.compile("[0-9]{1,18}")
_WRITERS = """
SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END
  FROM pg_class c CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
 WHERE c.oid = %s::regclass AND a.privilege_type IN ('INSERT', 'UPDATE')
 ORDER BY 1
"""


class Trust(Enum):
    """Whether a stored text may run."""

    ABSENT = "absent"
    """There is none."""
    VOUCHED = "vouched"
    """It is the text that this tool applied."""
    UNKNOWN = "unknown"
    """This tool applied the migration before digests were logged."""
    REFUSED = "refused"
    """It is not the text that this tool applied."""
    MASKED = "masked"
    """Its passwords are masked."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a stored text may run, and why not."""

    trust: Trust
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FileTexts:
    """The up and the down file of a version for the ledger; `down` is None without a down file."""

    up: LoadableText
    down: LoadableText | None = None

    @property
    def up_digest(self) -> str:
        """Return the SHA-256 of the up file's bytes."""
        return self.up.checksum

    @property
    def down_digest(self) -> str:
        """Return the SHA-256 of the down file's bytes, empty without one."""
        return self.down.checksum if self.down is not None else ""

    def describe(self, keep: int) -> dict[str, object]:
        """Return the values for the ledger: the digests, and of each file the text without passwords.

        Of a file of more than `keep` bytes it is the size instead, and its text is not loaded.
        """
        return {**_describe("up", self.up, keep), **_describe("down", self.down, keep)}


@dataclass(frozen=True, slots=True)
class Voucher:
    """What the log knows of the texts of a version; the default is for one that the log does not know."""

    applied: bool = False
    """Whether this tool applied or adopted the version, rather than that its row was found."""
    up_digest: str = ""
    down_digest: str = ""
    up_text_digest: str = ""
    down_text_digest: str = ""
    up_size: int | None = None
    """The bytes of the up file, if its text was not stored because of these."""
    down_size: int | None = None
    git_revision: str = ""
    """The commit of the files, if the log has one."""
    name: str = ""
    """The name of the version then."""


@dataclass(frozen=True, slots=True)
class StoredTexts:
    """The texts that the ledger stores of a version, and what the log knows of them."""

    up: str | None = None
    down: str | None = None
    voucher: Voucher = Voucher()

    def judge_up(self, checksum: str | None) -> Judgement:
        """Return whether the up text may run. `checksum` is that of the row, which counts where the log has no digest."""
        voucher = self.voucher
        judgement = _judge(self.up, voucher, voucher.up_text_digest or voucher.up_digest, voucher.up_size)
        if judgement.trust != Trust.UNKNOWN:
            return judgement
        if self.up is not None and _digest(self.up) == checksum:
            return Judgement(Trust.VOUCHED)
        return Judgement(Trust.REFUSED, "its SHA-256 is not the recorded checksum")

    def judge_down(self) -> Judgement:
        """Return whether the down text may run."""
        voucher = self.voucher
        return _judge(self.down, voucher, voucher.down_text_digest or voucher.down_digest, voucher.down_size)


def read_texts(migrations: Migrations, version: str) -> FileTexts:
    """Return the texts of the files of a version; raises FilesError for a file that cannot be read."""
    up = read_source(migrations.up_path(version))
    if version not in migrations.downs:
        return FileTexts(up)
    return FileTexts(up, read_source(migrations.down_path(version)))


def read_stored(connection: psycopg.Connection, ledger: Ledger, versions: Iterable[str]) -> dict[str, StoredTexts]:
    """Return the stored texts of versions of the ledger; none without its tables, or without the privilege to read them."""
    recorded = {ledger.recorded_name(version): version for version in versions}
    if not recorded or not ledger.complete or not (ledger.may_read("_log") and ledger.may_read("_scripts")):
        return {}
    query = sql.SQL(_STORED).format(log=ledger.table("_log"), scripts=ledger.table("_scripts"))
    return {
        recorded[name]: StoredTexts(
            None if up is None else restore_text(up),
            None if down is None else restore_text(down),
            _read_voucher(action, note, (value or "" for value in values)),
        )
        for name, up, down, action, note, *values in connection.execute(query, [list(recorded)])
    }


def find_writers(connection: psycopg.Connection, ledger: Ledger) -> tuple[str, ...]:
    """Return the roles that may write stored texts, the owner included."""
    table = ledger.table("_scripts").as_string(connection)
    return tuple(row[0] for row in connection.execute(_WRITERS, [table]))


def mask_text(text: str) -> str:
    """Return a text as it is stored: unchanged, or marked and with its passwords replaced by ***.

    Of a long one that may contain passwords, nothing is stored but the mark: to find them takes much time and memory.
    """
    if is_masked(text):
        return text
    if len(text) > LONG and _may_have_secrets(text):
        return f"{_MASKED_HEAD}-- {len(text):,} characters, which may contain passwords\n"
    masked = mask_urls(text) if len(text) > LONG else mask_secrets(text)
    return text if masked == text else f"{_MASKED_HEAD}{masked}"


def has_password(text: str) -> bool:
    """Return True for a stored text with a password in clear."""
    return not is_masked(text) and (len(text) <= LONG or _may_have_secrets(text) or "://" in text) and has_secrets(text)


def is_masked(text: str) -> bool:
    """Return True for a stored text whose passwords are masked."""
    return text.startswith(_MASKED_HEAD)


def strip_mark(text: str) -> str:
    """Return a stored text without the line that marks a masked one, to show it."""
    return text.removeprefix(_MASKED_HEAD)


def describe_unkept(size: int) -> str:
    """Return why a text is not in the ledger."""
    return f"its text was not kept, because the file has {size:,} bytes, more than KEEP_TEXT"


def _read_voucher(action: str, note: str | None, values: Iterable[str]) -> Voucher:
    up, down, up_text, down_text, up_size, down_size, revision, name = values
    if action in ("rollback", "rename") and not up:
        return Voucher()
    if (action, note) in (("repair", "drop row"), ("adopt", FOUND)):
        return Voucher()
    return Voucher(True, up, down, up_text, down_text, _read_size(up_size), _read_size(down_size), revision, name)


def _read_size(text: str) -> int | None:
    return int(text) if _SIZE.fullmatch(text) else None


def _judge(text: str | None, voucher: Voucher, digest: str, size: int | None) -> Judgement:
    if text is None:
        return Judgement(Trust.ABSENT, describe_unkept(size) if size is not None else "")
    if is_masked(text):
        return Judgement(Trust.MASKED, "its passwords are masked")
    if not voucher.applied:
        return Judgement(Trust.REFUSED, "the log has no record that this tool applied the migration")
    if not voucher.up_digest:
        return Judgement(Trust.UNKNOWN, "the migration was applied by a version of this tool that recorded no digests")
    if not digest:
        return Judgement(Trust.REFUSED, "there was none when this tool applied the migration")
    if _digest(text) != digest:
        return Judgement(Trust.REFUSED, f"its SHA-256 begins with {_digest(text)[:12]}, that in the log with {digest[:12]}")
    return Judgement(Trust.VOUCHED)


def _describe(direction: str, file: LoadableText | None, keep: int) -> dict[str, object]:
    is_kept = file is not None and file.size <= min(keep, LARGEST_TEXT)
    text = mask_text(file.text) if file is not None and is_kept else None
    return {
        f"{direction}_text": text,
        f"{direction}_digest": (file.checksum if file is not None else "") or None,
        f"{direction}_text_digest": _digest_other(text, file.checksum if file is not None else ""),
        f"{direction}_size": file.size if file is not None and not is_kept else None,
    }


def _may_have_secrets(text: str) -> bool:
    from tasks.postgres.masking.long_texts import may_have_secrets

    return may_have_secrets(text)


def _digest(text: str) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(text), LONG):
        digest.update(text[start : start + LONG].encode())
    return digest.hexdigest()


def _digest_other(stored: str | None, digest: str) -> str | None:
    """Return the digest of a stored text if the file has other bytes, because it is in another encoding or sets one.

    A masked text never runs, so that it needs no digest.
    """
    if stored is None or is_masked(stored) or _digest(stored) == digest:
        return None
    return _digest(stored)
