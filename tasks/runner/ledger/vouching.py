"""The texts that the ledger stores: which of them the log vouches for, so that they may run.

Other roles may be able to write to schema_migrations_scripts, so a stored text is input. It runs only if its SHA-256 is the one
that the log recorded when this tool applied the migration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import psycopg
from psycopg import sql

from tasks.postgres.masking import mask_secrets
from tasks.postgres.representable import restore_text
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.ledger.history import FOUND
from tasks.runner.ledger.reading import Ledger

STORE = "store"
"""The action of the log rows with the digests of texts that a repair stored."""
DIGESTS = ("up_digest", "down_digest", "up_text_digest", "down_text_digest")
"""The columns of the log: the SHA-256 of the up and down file, and those of their texts where these are not the files' bytes."""

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
       t.row ->> 'down_digest', t.row ->> 'up_text_digest', t.row ->> 'down_text_digest'
  FROM trace t LEFT JOIN {scripts} s ON s.version = t.version
 ORDER BY t.version, t.id
"""
"""Each version with its stored texts, and with the newest log row that put the version or its texts into the ledger, or removed
them; the row may be one of an older name. A rename with a digest is that of a squash, whose text is not the old one."""


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
    """The texts of the files of a version, and the SHA-256 of the files' bytes; `down` is None without a down file."""

    up: str
    up_digest: str
    down: str | None = None
    down_digest: str = ""

    def describe(self) -> dict[str, object]:
        """Return the values for the ledger: the texts without passwords, and the digests."""
        up, down = mask_text(self.up), None if self.down is None else mask_text(self.down)
        return {
            "up_text": up,
            "down_text": down,
            "up_digest": self.up_digest or None,
            "down_digest": self.down_digest or None,
            "up_text_digest": _digest_other(up, self.up_digest),
            "down_text_digest": _digest_other(down, self.down_digest),
        }


@dataclass(frozen=True, slots=True)
class Voucher:
    """What the log knows of the texts of a version; the default is for one that the log does not know."""

    applied: bool = False
    """Whether this tool applied or adopted the version, rather than that its row was found."""
    up_digest: str = ""
    down_digest: str = ""
    up_text_digest: str = ""
    down_text_digest: str = ""


@dataclass(frozen=True, slots=True)
class StoredTexts:
    """The texts that the ledger stores of a version, and what the log knows of them."""

    up: str | None = None
    down: str | None = None
    voucher: Voucher = Voucher()

    def judge_up(self, checksum: str | None) -> Judgement:
        """Return whether the up text may run. `checksum` is that of the row, which counts where the log has no digest."""
        voucher = self.voucher
        judgement = _judge(self.up, voucher, voucher.up_text_digest or voucher.up_digest)
        if judgement.trust != Trust.UNKNOWN:
            return judgement
        if self.up is not None and _digest(self.up) == checksum:
            return Judgement(Trust.VOUCHED)
        return Judgement(Trust.REFUSED, "its SHA-256 is not the recorded checksum")

    def judge_down(self) -> Judgement:
        """Return whether the down text may run."""
        voucher = self.voucher
        return _judge(self.down, voucher, voucher.down_text_digest or voucher.down_digest)


def read_texts(migrations: Migrations, version: str) -> FileTexts:
    """Return the texts of the files of a version; raises FilesError for a file that cannot be read."""
    up = read_source(migrations.up_path(version))
    if version not in migrations.downs:
        return FileTexts(up.text, up.checksum)
    down = read_source(migrations.down_path(version))
    return FileTexts(up.text, up.checksum, down.text, down.checksum)


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
            _read_voucher(action, note, *(digest or "" for digest in digests)),
        )
        for name, up, down, action, note, *digests in connection.execute(query, [list(recorded)])
    }


def find_writers(connection: psycopg.Connection, ledger: Ledger) -> tuple[str, ...]:
    """Return the roles that may write stored texts, the owner included."""
    table = ledger.table("_scripts").as_string(connection)
    return tuple(row[0] for row in connection.execute(_WRITERS, [table]))


def mask_text(text: str) -> str:
    """Return a text as it is stored: unchanged, or marked and with its passwords replaced by ***."""
    masked = mask_secrets(text)
    return text if masked == text or is_masked(text) else f"{_MASKED_HEAD}{masked}"


def is_masked(text: str) -> bool:
    """Return True for a stored text whose passwords are masked."""
    return text.startswith(_MASKED_HEAD)


def strip_mark(text: str) -> str:
    """Return a stored text without the line that marks a masked one, to show it."""
    return text.removeprefix(_MASKED_HEAD)


def _read_voucher(action: str, note: str | None, *digests: str) -> Voucher:
    if action in ("rollback", "rename") and not digests[0]:
        return Voucher()
    if (action, note) in (("repair", "drop row"), ("adopt", FOUND)):
        return Voucher()
    return Voucher(True, *digests)


def _judge(text: str | None, voucher: Voucher, digest: str) -> Judgement:
    if text is None:
        return Judgement(Trust.ABSENT)
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_other(stored: str | None, digest: str) -> str | None:
    """Return the digest of a stored text if the file has other bytes, because it is in another encoding or sets one.

    A masked text never runs, so that it needs no digest.
    """
    if stored is None or is_masked(stored) or _digest(stored) == digest:
        return None
    return _digest(stored)
