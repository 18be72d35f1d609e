"""Files of one transaction whose statements depend on earlier ones, or answer in their own way, each with a query of its effect.

All names are those of their file, so that any of the files can run before any other on one database.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StatementCase:
    """The text of a file, and a query with the rows that it returns afterwards; `since`: the first version that can run it."""

    text: str
    query: str
    rows: list[tuple[Any, ...]]
    since: int = 0


_SYNTAX = {
    "strings": StatementCase(
        r"""
        SET escape_string_warning = off;
        SET standard_conforming_strings = off;
        CREATE TABLE strings AS SELECT 'a\\b' AS a;
        SET standard_conforming_strings = on;
        INSERT INTO strings VALUES ('a\\b');
        """,
        "SELECT a FROM strings ORDER BY length(a)",
        [("a\\b",), ("a\\\\b",)],
    ),
    "strings_hidden": StatementCase(
        r"""
        SET escape_string_warning = off;
        SELECT set_config('standard_conforming_' || 'strings', 'off', false);
        CREATE TABLE strings_hidden AS SELECT 'a\\b' AS a;
        """,
        "TABLE strings_hidden",
        [("a\\b",)],
    ),
    "dates": StatementCase(
        """
        SET datestyle = 'German';
        SET TIME ZONE 'Asia/Tokyo';
        CREATE TABLE dates AS SELECT '31.12.2024'::date AS d, '31.12.2024 12:00'::timestamptz AS t;
        """,
        "SELECT d::text, (t AT TIME ZONE 'UTC')::text FROM dates",
        [("2024-12-31", "2024-12-31 03:00:00")],
    ),
    "dates_after": StatementCase(
        "CREATE TABLE dates_after AS SELECT '2024-12-31'::date::text AS d, current_setting('timezone') <> 'Asia/Tokyo' AS t;",
        "TABLE dates_after",
        [("2024-12-31", True)],
    ),
    "nulls": StatementCase(
        "SET transform_null_equals = on; CREATE TABLE nulls (n int); INSERT INTO nulls VALUES (NULL);"
        "UPDATE nulls SET n = 1 WHERE n = NULL;",
        "TABLE nulls",
        [(1,)],
    ),
    "signs": StatementCase(
        "CREATE TABLE signs AS SELECT '$1 $2 %s %(a)s ? :x {y}' AS a; INSERT INTO signs SELECT $$it's $1$$ || $a$ $$ $a$;",
        "TABLE signs",
        [("$1 $2 %s %(a)s ? :x {y}",), ("it's $1 $$ ",)],
    ),
    "comments": StatementCase(
        "-- first\n/* ; */ CREATE TABLE comments (a int) /* $1 */ ;;\n;INSERT INTO comments VALUES (1) -- ;\n;\n-- end",
        "TABLE comments",
        [(1,)],
    ),
    "letters": StatementCase(
        "CREATE TABLE letters (\"größe →\" text); SELECT 1; INSERT INTO letters VALUES ('日本 😀');",
        "TABLE letters",
        [("日本 😀",)],
    ),
    "long": StatementCase(
        f"CREATE TABLE long (a text); INSERT INTO long VALUES ('{'é' * 200_000}'); INSERT INTO long VALUES ('');",
        "SELECT length(a) FROM long ORDER BY 1",
        [(0,), (200_000,)],
    ),
}
_OBJECTS = {
    "path": StatementCase(
        "CREATE SCHEMA path; SET search_path = path; CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE VIEW v AS TABLE t;",
        "TABLE path.v",
        [(1,)],
    ),
    "path_local": StatementCase(
        "CREATE SCHEMA path_local; SET LOCAL search_path = path_local, public; CREATE TABLE t AS SELECT 2;",
        "TABLE path_local.t",
        [(2,)],
    ),
    "path_hidden": StatementCase(
        "CREATE SCHEMA path_hidden; SELECT set_config('search_' || 'path', 'path_hidden', true); CREATE TABLE t AS SELECT 3;",
        "TABLE path_hidden.t",
        [(3,)],
    ),
    "types": StatementCase(
        """
        CREATE TYPE types_mood AS ENUM ('glad', 'sad');
        ALTER TYPE types_mood ADD VALUE 'calm';
        CREATE TYPE types_pair AS (a int, b types_mood);
        CREATE DOMAIN types_small AS int CHECK (VALUE < 10);
        CREATE TYPE types_span AS RANGE (subtype = int);
        CREATE TABLE types (mood types_mood DEFAULT 'glad', pair types_pair, small types_small, span types_span);
        INSERT INTO types VALUES (DEFAULT, ROW(1, 'sad'), 9, types_span(1, 5));
        ALTER TYPE types_pair ADD ATTRIBUTE c text;
        ALTER TYPE types_mood RENAME VALUE 'sad' TO 'blue';
        INSERT INTO types SELECT max(mood), ROW(2, 'blue', 'x')::types_pair, 1, '[7,9)' FROM types;
        """,
        "SELECT mood::text, pair::text, small, span::text FROM types ORDER BY small",
        [("glad", "(2,blue,x)", 1, "[7,9)"), ("glad", "(1,blue,)", 9, "[1,5)")],
    ),
    "functions": StatementCase(
        """
        CREATE FUNCTION functions_half(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT $1 / 2; $$;
        CREATE OPERATOR !!! (RIGHTARG = int, FUNCTION = functions_half);
        CREATE AGGREGATE functions_sum (int) (SFUNC = int4pl, STYPE = int, INITCOND = '100');
        CREATE TABLE functions (a int DEFAULT functions_half(10), b int GENERATED ALWAYS AS (functions_half(a)) STORED);
        INSERT INTO functions DEFAULT VALUES;
        CREATE OR REPLACE FUNCTION functions_half(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT -$1; $$;
        INSERT INTO functions SELECT !!! functions_sum(n) FROM generate_series(1, 3) n;
        CREATE INDEX ON functions ((!!! a));
        CREATE PROCEDURE functions_add(INOUT n int) LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO functions VALUES (n); n = n + 1; END $$;
        CALL functions_add(7);
        """,
        "SELECT a, b FROM functions ORDER BY 1",
        [(-106, 106), (5, 2), (7, -7)],
    ),
    "late_bodies": StatementCase(
        "SET check_function_bodies = off;"
        "CREATE FUNCTION late_body() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM late_bodies';"
        "CREATE TABLE late_bodies (); SELECT late_body();",
        "SELECT late_body()",
        [(0,)],
    ),
    "extensions": StatementCase(
        "CREATE EXTENSION citext; CREATE TABLE extensions (a citext); INSERT INTO extensions VALUES ('A');"
        "UPDATE extensions SET a = a || 'b' WHERE a = 'a';",
        "SELECT a::text FROM extensions",
        [("Ab",)],
    ),
    "columns": StatementCase(
        """
        CREATE TABLE columns (a int);
        INSERT INTO columns VALUES (1);
        ALTER TABLE columns ADD COLUMN b text DEFAULT 'x';
        UPDATE columns SET b = b || a;
        ALTER TABLE columns RENAME COLUMN b TO c;
        ALTER TABLE columns ALTER COLUMN a TYPE text USING c || '!';
        INSERT INTO columns (a, c) VALUES ('y', 'z');
        SELECT a FROM columns;
        ALTER TABLE columns DROP COLUMN a;
        TABLE columns;
        DROP TABLE columns;
        CREATE TABLE columns AS SELECT 4 AS d;
        ALTER TABLE columns ADD CHECK (d > 3);
        """,
        "TABLE columns",
        [(4,)],
    ),
    "parts": StatementCase(
        "CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);"
        "INSERT INTO parts VALUES (1); ALTER TABLE parts DETACH PARTITION parts_1; INSERT INTO parts_1 VALUES (2);",
        "TABLE parts_1",
        [(1,), (2,)],
    ),
    "rules": StatementCase(
        "CREATE TABLE rules (a int); CREATE RULE also AS ON INSERT TO rules DO ALSO SELECT a, 'x' FROM rules;"
        "INSERT INTO rules VALUES (1), (2); UPDATE rules SET a = 3 WHERE a = 1;",
        "TABLE rules ORDER BY 1",
        [(2,), (3,)],
    ),
    "views": StatementCase(
        "CREATE SCHEMA views CREATE TABLE t (a int) CREATE VIEW v AS SELECT 'x' AS b, a FROM t;"
        "INSERT INTO views.v (a) VALUES (1);"
        "CREATE MATERIALIZED VIEW views.m AS SELECT b || a AS c FROM views.v; INSERT INTO views.t VALUES (2);"
        "REFRESH MATERIALIZED VIEW views.m; COMMENT ON VIEW views.v IS 'x';",
        "TABLE views.m ORDER BY 1",
        [("x1",), ("x2",)],
    ),
    "event_triggers": StatementCase(
        """
        CREATE TABLE event_triggers (tag text, own boolean);
        CREATE FUNCTION event_triggered() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO event_triggers VALUES (tg_tag, current_query() ~ 'event_triggers_a'); END $$;
        CREATE EVENT TRIGGER event_triggers ON ddl_command_end EXECUTE FUNCTION event_triggered();
        CREATE TABLE event_triggers_a ();
        CREATE TYPE event_triggers_b AS ENUM ();
        DROP EVENT TRIGGER event_triggers;
        CREATE TYPE event_triggers_c AS ENUM ();
        """,
        "TABLE event_triggers",
        [("CREATE TABLE", True), ("CREATE TYPE", False)],
    ),
}
_TRANSACTIONS = {
    "roles": StatementCase(
        "CREATE SCHEMA roles AUTHORIZATION pg_monitor; SET ROLE pg_monitor; CREATE TABLE roles.t AS SELECT current_user::text;"
        "RESET ROLE; SET SESSION AUTHORIZATION pg_monitor; INSERT INTO roles.t SELECT session_user;",
        "TABLE roles.t",
        [("pg_monitor",), ("pg_monitor",)],
    ),
    "constraints": StatementCase(
        """
        CREATE TABLE constraints (id int PRIMARY KEY, up int REFERENCES constraints DEFERRABLE);
        SET CONSTRAINTS ALL DEFERRED;
        INSERT INTO constraints VALUES (2, 1);
        INSERT INTO constraints VALUES (1, 1);
        SET CONSTRAINTS constraints_up_fkey IMMEDIATE;
        ALTER TABLE constraints ADD CHECK (id > 0);
        """,
        "TABLE constraints ORDER BY 1",
        [(1, 1), (2, 1)],
    ),
    "replica": StatementCase(
        "CREATE TABLE replica (id int PRIMARY KEY, up int REFERENCES replica); SET session_replication_role = replica;"
        "INSERT INTO replica VALUES (1, 7); SET session_replication_role = origin; INSERT INTO replica VALUES (2, 1);",
        "TABLE replica ORDER BY 1",
        [(1, 7), (2, 1)],
    ),
    "isolation": StatementCase(
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;CREATE TABLE isolation AS SELECT current_setting('transaction_isolation');",
        "TABLE isolation",
        [("serializable",)],
    ),
    "isolation_own": StatementCase(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE isolation_own AS SELECT current_setting('transaction_isolation');"
        " SELECT 1; COMMIT;",
        "TABLE isolation_own",
        [("repeatable read",)],
    ),
    "isolation_after": StatementCase(
        "CREATE TABLE isolation_after AS SELECT current_setting('transaction_isolation') AS a; SELECT 1;",
        "TABLE isolation_after",
        [("read committed",)],
    ),
    "limits": StatementCase(
        "SET LOCAL lock_timeout = '7s'; CREATE TABLE limits AS SELECT current_setting('lock_timeout') AS a; RESET lock_timeout;"
        "SET LOCAL statement_timeout = '500ms'; SELECT pg_sleep(0.2); SELECT pg_sleep(0.2); SELECT pg_sleep(0.2);",
        "TABLE limits",
        [("7s",)],
    ),
    "points": StatementCase(
        """
        CREATE TABLE points (a int);
        SAVEPOINT one;
        INSERT INTO points VALUES (1);
        SET LOCAL search_path = pg_catalog;
        ROLLBACK TO SAVEPOINT one;
        INSERT INTO points VALUES (2);
        SAVEPOINT two;
        DROP TABLE points;
        ROLLBACK TO two;
        RELEASE one;
        INSERT INTO points VALUES (3);
        """,
        "TABLE points",
        [(2,), (3,)],
    ),
    "times": StatementCase(
        "CREATE TABLE times AS SELECT now() AS n, statement_timestamp() AS s, pg_current_xact_id()::text AS x;"
        "SELECT pg_sleep(0.01); INSERT INTO times SELECT now(), statement_timestamp(), pg_current_xact_id()::text;",
        "SELECT count(DISTINCT n), count(DISTINCT s), count(DISTINCT x) FROM times",
        [(1, 2, 1)],
    ),
    "temporary": StatementCase(
        "CREATE TEMP TABLE temporary_rows ON COMMIT DROP AS SELECT 1 AS a; CREATE TABLE temporary AS TABLE temporary_rows;",
        "TABLE temporary",
        [(1,)],
    ),
    "temporary_again": StatementCase(
        "CREATE TEMP TABLE temporary_rows (a int) ON COMMIT DELETE ROWS; INSERT INTO temporary_rows VALUES (2);"
        "CREATE TABLE temporary_again AS TABLE temporary_rows; DISCARD TEMP; CREATE TEMP TABLE temporary_rows ();",
        "TABLE temporary_again",
        [(2,)],
    ),
    "discarded": StatementCase(
        "CREATE TABLE discarded (a serial, b int); DISCARD PLANS; INSERT INTO discarded (b) VALUES (1); DISCARD SEQUENCES;"
        "INSERT INTO discarded (b) VALUES (2); DISCARD PLANS;",
        "TABLE discarded",
        [(1, 1), (2, 2)],
    ),
    "locked": StatementCase(
        "CREATE TABLE locked (a int); LOCK TABLE locked; SELECT pg_advisory_lock(7); INSERT INTO locked VALUES (1);",
        "SELECT a, (SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory'"
        " AND objid = 7 AND datname = current_database()) FROM locked",
        [(1, 0)],
    ),
    "listens": StatementCase(
        "LISTEN listens; CREATE TABLE listens (a int); NOTIFY listens, 'x'; SELECT pg_notify('listens', n::text)"
        " FROM generate_series(1, 50) n; INSERT INTO listens VALUES (1);",
        "TABLE listens",
        [(1,)],
    ),
}
_ANSWERS = {
    "prepared": StatementCase(
        """
        CREATE TABLE prepared (a int);
        PREPARE prepared_add (int) AS INSERT INTO prepared VALUES ($1 * 2) RETURNING a;
        EXECUTE prepared_add (1);
        DEALLOCATE prepared_add;
        PREPARE prepared_add AS SELECT $1::int + $2 AS b;
        CREATE TABLE prepared_b AS EXECUTE prepared_add (3, 4);
        EXPLAIN (ANALYZE, COSTS off) EXECUTE prepared_add (1, 1);
        INSERT INTO prepared TABLE prepared_b;
        """,
        "TABLE prepared ORDER BY 1",
        [(2,), (7,)],
    ),
    "deallocated": StatementCase(
        "PREPARE prepared_add AS SELECT 1; DEALLOCATE ALL;"
        "CREATE TABLE deallocated AS SELECT count(*) FROM pg_prepared_statements;",
        "TABLE deallocated",
        [(0,)],
    ),
    "cursors": StatementCase(
        """
        CREATE TABLE cursors AS SELECT generate_series(1, 9) AS a;
        DECLARE c CURSOR FOR SELECT a FROM cursors ORDER BY a FOR UPDATE;
        FETCH 3 FROM c;
        UPDATE cursors SET a = -a WHERE CURRENT OF c;
        MOVE FORWARD 2 IN c;
        FETCH ALL FROM c;
        CLOSE c;
        DECLARE b BINARY CURSOR WITH HOLD FOR TABLE cursors;
        FETCH 2 FROM b;
        DECLARE e CURSOR FOR SELECT;
        FETCH e;
        CLOSE ALL;
        DECLARE c CURSOR FOR SELECT 1;
        DELETE FROM cursors WHERE a > 1;
        """,
        "TABLE cursors ORDER BY 1",
        [(-3,), (1,)],
    ),
    "cursors_held": StatementCase(
        "CREATE TABLE cursors_held (a int); DECLARE held CURSOR WITH HOLD FOR SELECT 1; FETCH NEXT FROM held;"
        "INSERT INTO cursors_held SELECT count(*) FROM pg_cursors WHERE name IN ('held', 'b', 'c');",
        "TABLE cursors_held",
        [(1,)],
    ),
    "answers": StatementCase(
        """
        SELECT;
        SELECT 1 AS a, NULL AS b, '\\x00ff'::bytea AS c, ARRAY[1, 2], ROW(1, 'x');
        SELECT 1 WHERE false;
        VALUES (1, 'x'), (2, NULL);
        TABLE pg_am;
        SHOW search_path;
        SHOW ALL;
        EXPLAIN SELECT 1;
        EXPLAIN (FORMAT json, ANALYZE) SELECT 1;
        DO $$ BEGIN PERFORM 1; END $$;
        CREATE TABLE answers (a int);
        INSERT INTO answers VALUES (1), (2) RETURNING a, a::text;
        WITH gone AS (DELETE FROM answers WHERE a = 1 RETURNING a) SELECT * FROM gone;
        UPDATE answers SET a = 3 WHERE false RETURNING *;
        SELECT a INTO answers_b FROM answers;
        SELECT generate_series(1, 20000), repeat('x', 100);
        ANALYZE answers;
        TRUNCATE answers_b;
        """,
        "TABLE answers",
        [(2,)],
    ),
    "merged": StatementCase(
        "CREATE TABLE merged (a int, b int); INSERT INTO merged VALUES (1, 1); MERGE INTO merged USING (VALUES (1), (2)) v (a)"
        " ON merged.a = v.a WHEN MATCHED THEN UPDATE SET b = 5 WHEN NOT MATCHED THEN INSERT VALUES (v.a, 6);",
        "TABLE merged ORDER BY 1",
        [(1, 5), (2, 6)],
        since=150000,
    ),
    "copied": StatementCase(
        "CREATE TABLE copied (a int, b text);\nINSERT INTO copied VALUES (1, 'x');\nCOPY copied FROM stdin;\n2\t$1\n3\té\n\\.\n"
        "UPDATE copied SET a = a * 10;\nCOPY copied FROM stdin;\n\\.\nDELETE FROM copied WHERE a = 10;\n",
        "TABLE copied ORDER BY 1",
        [(20, "$1"), (30, "é")],
    ),
    "queries": StatementCase(
        "CREATE TABLE queries (a text, b boolean);\nINSERT INTO queries VALUES ('one', current_query() ~ 'one');\n"
        "INSERT INTO queries VALUES ('two', current_query() ~ '^INSERT INTO queries VALUES ..two');",
        "SELECT b FROM queries",
        [(True,), (True,)],
    ),
    "objects": StatementCase(
        "CREATE TABLE objects AS SELECT lo_from_bytea(0, 'abc') AS o; SELECT lo_put(o, 1, 'x') FROM objects;",
        "SELECT convert_from(lo_get(o), 'UTF8') FROM objects",
        [("axc",)],
    ),
    "caught": StatementCase(
        "CREATE TABLE caught (a int PRIMARY KEY); INSERT INTO caught VALUES (1); DO $$ BEGIN BEGIN INSERT INTO caught VALUES (1);"
        " EXCEPTION WHEN unique_violation THEN INSERT INTO caught VALUES (2); END; END $$; INSERT INTO caught VALUES (3);",
        "TABLE caught ORDER BY 1",
        [(1,), (2,), (3,)],
    ),
    "many": StatementCase(
        "CREATE TABLE many (a int);\n" + "".join(f"INSERT INTO many VALUES ({n});\n" for n in range(1500)),
        "SELECT count(*), sum(a) FROM many",
        [(1500, 1499 * 750)],
    ),
}

CASES = {**_SYNTAX, **_OBJECTS, **_TRANSACTIONS, **_ANSWERS}
