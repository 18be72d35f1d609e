"""Privileges on the tables of the ledger: only its owner may write there, or read more than the list of migrations.

A role that writes to the ledger decides what a rollback runs and what counts as applied, and the stored texts may contain
secrets. So what ALTER DEFAULT PRIVILEGES granted on new tables is revoked in the transaction that creates them. SELECT on
schema_migrations is left to all that have it; the roles of LEDGER_READERS may read the log and the metadata too, but no texts.
https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.runner.database.session import run_sql
from tasks.runner.errors import RefusedError
from tasks.runner.events import NO_PRIVILEGE
from tasks.runner.ledger.tables import TABLE

READ_BY_READERS = ("", "_log", "_meta")
"""The tables that the roles of LEDGER_READERS may read, without the name of the first."""

_ACCESS = """
WITH own AS (
    SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user
), ledger AS (
    SELECT c.oid, c.relname, c.relowner, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = {schema} AND c.relname = ANY ({tables}::name[]) AND c.relkind IN ('r', 'p')
), relation AS (
    SELECT oid FROM ledger
     UNION SELECT d.objid FROM pg_depend d JOIN ledger ON d.refobjid = ledger.oid
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
), acl AS (
    SELECT c.relname, c.relkind, c.relowner, x.*
      FROM relation JOIN pg_class c USING (oid) CROSS JOIN LATERAL aclexplode(c.relacl) x
     WHERE c.relkind IN ('r', 'p', 'S')
     UNION ALL
    SELECT c.relname, c.relkind, c.relowner, x.*
      FROM relation JOIN pg_class c USING (oid) JOIN pg_attribute a ON a.attrelid = c.oid
     CROSS JOIN LATERAL aclexplode(a.attacl) x
     WHERE NOT a.attisdropped
), privilege AS (
    SELECT DISTINCT acl.relname, acl.relkind = 'S' AS is_sequence, grantee.rolname AS grantee,
           CASE WHEN acl.grantor <> acl.relowner THEN grantor.rolname END AS grantor, acl.privilege_type,
           acl.grantee <> 0 AND pg_has_role(acl.grantee, acl.relowner, 'MEMBER') AS is_member,
           acl.grantee <> 0 AND (acl.grantee = own.oid OR NOT own.rolsuper AND pg_has_role(acl.grantee, 'USAGE')) AS is_own,
           pg_has_role(acl.relowner, 'USAGE') AS is_revocable
      FROM acl CROSS JOIN own
      LEFT JOIN pg_roles grantee ON grantee.oid = acl.grantee LEFT JOIN pg_roles grantor ON grantor.oid = acl.grantor
     WHERE acl.grantee <> acl.relowner AND (acl.grantee = 0 OR grantee.oid IS NOT NULL)
     ORDER BY 3 NULLS FIRST, 1, 5, 4
)
SELECT json_build_object(
    'grants', (SELECT coalesce(json_agg(json_build_array(p.relname, p.is_sequence, p.grantee, p.grantor, p.privilege_type,
                                                         p.is_member, p.is_own, p.is_revocable)), '[]') FROM privilege p),
    'readers', (SELECT coalesce(json_agg(json_build_array(reader, r.oid IS NOT NULL,
                  ARRAY(SELECT l.relname FROM ledger l WHERE l.relname = ANY ({read}::name[])
                           AND NOT pg_has_role(r.oid, l.relowner, 'USAGE') AND NOT EXISTS (
                             SELECT FROM aclexplode(l.relacl) x WHERE x.grantee = r.oid AND x.privilege_type = 'SELECT')
                         ORDER BY 1))), '[]')
                  FROM unnest({readers}::text[]) reader LEFT JOIN pg_roles r ON r.rolname::text = reader))::text
"""
"""The privileges of others than the owner on the ledger's tables, their columns and their sequences, and what readers lack.

A reader lacks what it has by a grant to PUBLIC or to another role, because that is revoked.
A grantee that was dropped has no name, so its privileges cannot be revoked, nor used. A superuser has no privilege by a grant.
https://www.postgresql.org/docs/current/ddl-priv.html, https://www.postgresql.org/docs/current/functions-info.html
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege on a table or sequence of the ledger that a role has, which is not the owner."""

    relation: str
    is_sequence: bool
    grantee: str | None
    """None for PUBLIC."""
    grantor: str | None
    """The role that passed the privilege on; None for the owner."""
    privilege: str
    is_member: bool
    """Whether the role is a member of the owner, or a superuser: it has all privileges without the grant."""
    is_own: bool
    """Whether the current user has the privilege by this grant: it is the role, or inherits from it."""
    is_revocable: bool
    """Whether the current user may revoke the privilege: it is the owner, a member of it, or a superuser."""

    @property
    def is_foreign(self) -> bool:
        """Return True unless the role has the privilege anyway, or it is the current user's own way to use the ledger."""
        return not self.is_member and (not self.is_own or self.is_revocable)

    @property
    def is_closable(self) -> bool:
        """Return True if a repair revokes the privilege: never from the current user, nor from a role that it inherits from."""
        return not self.is_member and not self.is_own and self.is_revocable

    @property
    def shown_grantee(self) -> str:
        """Return the grantee as SQL."""
        return "PUBLIC" if self.grantee is None else quote_identifier(self.grantee)


@dataclass(frozen=True, slots=True)
class Access:
    """Who has privileges on the ledger, and what the roles of LEDGER_READERS lack."""

    schema: str
    grants: tuple[Grant, ...] = ()
    """The privileges that close the ledger if they are revoked."""
    unknown_readers: tuple[str, ...] = ()
    lacking: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each reader that may not read all that it should, with the tables."""


def compose_access(connection: psycopg.Connection, schema: str, tables: Iterable[str], readers: Collection[str] = ()) -> str:
    """Return the query for the privileges on those tables of the ledger, for `read_access`."""
    read = [f"{TABLE}{suffix}" for suffix in READ_BY_READERS]
    values = {"schema": schema, "tables": list(tables), "read": read, "readers": list(readers)}
    return sql.SQL(_ACCESS).format(**{name: sql.Literal(value) for name, value in values.items()}).as_string(connection)


def read_access(schema: str, answer: str | None, readers: Collection[str] = ()) -> Access:
    """Return the privileges from the answer to `compose_access`, without those that others may have."""
    read = json.loads(answer or '{"grants": [], "readers": []}')
    grants = tuple(grant for grant in (Grant(*row) for row in read["grants"]) if not _is_allowed(grant, readers))
    unknown = tuple(name for name, is_known, _ in read["readers"] if not is_known)
    lacking = tuple((name, tuple(tables)) for name, is_known, tables in read["readers"] if is_known and tables)
    return Access(schema, grants, unknown, lacking)


def find_access(connection: psycopg.Connection, schema: str, tables: Iterable[str], readers: Collection[str] = ()) -> Access:
    """Return the privileges on those tables of the ledger."""
    row = connection.execute(compose_access(connection, schema, tables, readers).encode()).fetchone()
    return read_access(schema, row[0] if row else None, readers)


def close_tables(connection: psycopg.Connection, access: Access) -> None:
    """Revoke what others may do with tables that the open transaction created, and grant what readers may do."""
    refuse_unknown_readers(access)
    statements = [*compose_revokes(access, access.grants), *compose_grants(access)]
    if statements:
        run_sql(connection, "; ".join(statements))


def refuse_unknown_readers(access: Access) -> None:
    """Raise RefusedError if LEDGER_READERS names a role that does not exist."""
    if access.unknown_readers:
        raise RefusedError(
            f"LEDGER_READERS names what is not a role on this server: {', '.join(access.unknown_readers)}",
            hint="Correct the setting, or create the role first. Where a migration creates it, run that without the setting,\n"
            "then grant with it what readers lack: inv db.repair",
            state="Nothing was changed.",
        )


def compose_revokes(access: Access, grants: Iterable[Grant]) -> list[str]:
    """Return the statements that revoke privileges, for the owner to run.

    A privilege that another role passed on is revoked by taking its grant option from the role that has it from the owner: the
    owner revokes only what it granted itself, and what depends on that.
    https://www.postgresql.org/docs/current/sql-revoke.html
    """
    collected: dict[tuple[str, str, str], list[str]] = {}
    for grant in grants:
        relation = f"{'SEQUENCE ' if grant.is_sequence else ''}{quote_qualified(access.schema, grant.relation)}"
        if grant.grantor is None:
            parts = [("", relation, grant.shown_grantee)]
        else:
            parts = [("GRANT OPTION FOR ", relation, quote_identifier(root)) for root in _find_roots(access.grants, grant)]
        for part in parts:
            collected.setdefault(part, []).append(grant.privilege)
    return [
        f"REVOKE {option}{', '.join(dict.fromkeys(privileges))} ON {relation} FROM {role} CASCADE"
        for (option, relation, role), privileges in collected.items()
    ]


def compose_grants(access: Access) -> list[str]:
    """Return the statements that grant readers what they lack."""
    return [compose_select(access.schema, tables, reader) for reader, tables in access.lacking]


def describe_grants(access: Access, grants: Iterable[Grant]) -> list[str]:
    """Return a line for each role and table: what the role may do."""
    collected: dict[tuple[str, str], list[str]] = {}
    for grant in grants:
        key = (grant.shown_grantee, quote_qualified(access.schema, grant.relation))
        collected.setdefault(key, []).append(grant.privilege)
    return [f"{role} has {', '.join(dict.fromkeys(found))} on {table}" for (role, table), found in collected.items()]


def describe_unreadable(schema: str, suffixes: Iterable[str]) -> str:
    """Return why the contents of tables are not known."""
    return f"{NO_PRIVILEGE} to read {', '.join(quote_qualified(schema, f'{TABLE}{suffix}') for suffix in suffixes)}"


def compose_select(schema: str, tables: Iterable[str], role: str) -> str:
    """Return the statement that allows a role to read tables."""
    return f"GRANT SELECT ON {', '.join(quote_qualified(schema, table) for table in tables)} TO {quote_identifier(role)}"


def _find_roots(grants: Sequence[Grant], passed_on: Grant) -> list[str]:
    """Return the roles that have a privilege from the owner, and passed it on directly or through others."""
    same = [each for each in grants if (each.relation, each.privilege) == (passed_on.relation, passed_on.privilege)]
    found, roots = [passed_on.grantor or ""], []
    for role in found:
        grantors = [each.grantor for each in same if each.grantee == role] or [None]
        if None in grantors:
            roots.append(role)
        found += [each for each in dict.fromkeys(grantors) if each is not None and each not in found]
    return sorted(roots)


def _is_allowed(grant: Grant, readers: Collection[str]) -> bool:
    """Return True for a privilege that others than the owner may have."""
    suffix = grant.relation.removeprefix(TABLE)
    if grant.privilege != "SELECT" or grant.is_sequence:
        return False
    return not suffix or (grant.grantee in readers and suffix in READ_BY_READERS)
