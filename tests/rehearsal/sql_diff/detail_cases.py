"""Pairs of schemas that differ in what pg_dump shows and no comparison counts, or only partly.

Each case has a schema of its own in one database, so that all of them need two databases.
"""

from dataclasses import dataclass

from tasks.catalog import LOCAL_NULL, NAMED_NULL, Key


@dataclass(frozen=True)
class DetailCase:
    """What a schema contains before and after, and the names that no statement changes since PostgreSQL 18."""

    old: str
    new: str
    kept: frozenset[Key] = frozenset()


_PARTITIONED = "CREATE TABLE p (a int, b int, c text) PARTITION BY LIST (a);"
_SETTINGS = "ALTER TABLE t ALTER a SET (n_distinct = 3, n_distinct_inherited = 4);"

CASES = {
    "parameters_in_another_order": DetailCase(
        f"CREATE TABLE t (a int) WITH (fillfactor = 70, autovacuum_enabled = off); {_SETTINGS}"
        "CREATE VIEW v WITH (security_barrier = on, check_option = local) AS SELECT a FROM t;"
        "CREATE MATERIALIZED VIEW m WITH (fillfactor = 70, parallel_workers = 2) AS SELECT a FROM t",
        "CREATE TABLE t (a int) WITH (autovacuum_enabled = off, fillfactor = 70);"
        "ALTER TABLE t ALTER a SET (n_distinct_inherited = 4, n_distinct = 3);"
        "CREATE VIEW v WITH (check_option = local, security_barrier = on) AS SELECT a FROM t;"
        "CREATE MATERIALIZED VIEW m WITH (parallel_workers = 2, fillfactor = 70) AS SELECT a FROM t",
    ),
    "parameters_of_what_is_new": DetailCase(
        "CREATE TABLE u (a int) WITH (parallel_workers = 2)",
        "CREATE TABLE u (a int) WITH (fillfactor = 70, parallel_workers = 2, autovacuum_enabled = off);"
        f"CREATE TABLE t (a int, x text) WITH (parallel_workers = 1, fillfactor = 60, toast.vacuum_truncate = off,"
        f" toast.autovacuum_enabled = off); {_SETTINGS}"
        "CREATE VIEW v WITH (security_barrier = on, check_option = local) AS SELECT a FROM t",
    ),
    "names_of_null_that_differ": DetailCase(
        'CREATE TABLE t (a int NOT NULL, b int CONSTRAINT bn NOT NULL, c int CONSTRAINT cn NOT NULL, d int, "E" int NOT NULL)',
        "CREATE TABLE t (a int CONSTRAINT an NOT NULL, b int NOT NULL, c int CONSTRAINT cc NOT NULL,"
        ' d int CONSTRAINT dn NOT NULL, "E" int CONSTRAINT "it\'s $names$" NOT NULL, f int CONSTRAINT fn NOT NULL)',
    ),
    "names_of_null_that_are_exchanged": DetailCase(
        "CREATE TABLE t (a int CONSTRAINT x NOT NULL, b int CONSTRAINT y NOT NULL, c int CONSTRAINT z NOT NULL)",
        "CREATE TABLE t (a int CONSTRAINT y NOT NULL, b int CONSTRAINT x NOT NULL, c int CONSTRAINT w NOT NULL)",
    ),
    "names_of_null_with_children": DetailCase(
        "CREATE TABLE p (a int NOT NULL) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE TABLE p (a int CONSTRAINT an NOT NULL) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "CREATE TABLE p2 (a int NOT NULL); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2)",
    ),
    "a_null_that_a_child_has_itself": DetailCase(
        "CREATE TABLE p (a int NOT NULL); CREATE TABLE c () INHERITS (p)",
        "CREATE TABLE p (a int NOT NULL); CREATE TABLE c () INHERITS (p); ALTER TABLE ONLY c ALTER a SET NOT NULL",
        frozenset({Key(LOCAL_NULL, "a", "a_null_that_a_child_has_itself.c")}),
    ),
    "a_name_that_a_partition_inherits": DetailCase(
        "CREATE TABLE p (a int NOT NULL) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE TABLE p (a int NOT NULL) PARTITION BY LIST (a); CREATE TABLE p1 (a int NOT NULL);"
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)",
        frozenset({Key(NAMED_NULL, "a", "a_name_that_a_partition_inherits.p1")}),
    ),
    "names_of_null_of_domains": DetailCase(
        "CREATE DOMAIN d AS text NOT NULL; CREATE DOMAIN e AS text CONSTRAINT en NOT NULL; CREATE DOMAIN f AS text",
        "CREATE DOMAIN d AS text CONSTRAINT dn NOT NULL; CREATE DOMAIN e AS text NOT NULL;"
        "CREATE DOMAIN f AS text CONSTRAINT fn NOT NULL; CREATE DOMAIN g AS text CONSTRAINT gn NOT NULL DEFAULT 'x'",
    ),
    "indexes_of_partitions_that_stay": DetailCase(
        f"{_PARTITIONED} CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "ALTER TABLE p ADD PRIMARY KEY (a); CREATE INDEX pi ON p (b); CREATE INDEX pj ON p (c)",
        f"{_PARTITIONED} CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "ALTER TABLE p1 ADD CONSTRAINT kk PRIMARY KEY (a); CREATE INDEX p1_c_idx ON p1 (b); CREATE INDEX p1_b_idx ON p1 (c);"
        "ALTER TABLE p ADD PRIMARY KEY (a); CREATE INDEX pi ON p (b); CREATE INDEX pj ON p (c)",
        frozenset({Key(NAMED_NULL, "a", "indexes_of_partitions_that_stay.p1")}),
    ),
    "indexes_of_partitions_that_are_new": DetailCase(
        f"{_PARTITIONED} CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE INDEX pi ON p (b)",
        f"{_PARTITIONED} CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY LIST (b); CREATE INDEX pi ON p (b);"
        "CREATE TABLE p11 (a int, b int, c text); CREATE INDEX k ON p11 (lower(c)); ALTER TABLE p1 ATTACH PARTITION p11 DEFAULT;"
        "CREATE INDEX pj ON p (lower(c)); CREATE TABLE p2 (a int, b int, c text); CREATE INDEX m ON p2 (b);"
        "ALTER TABLE p ATTACH PARTITION p2 DEFAULT",
    ),
}
