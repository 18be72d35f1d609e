-- Schemas that versions of PostgreSQL, or a dump that was loaded, write in other words. Each begins with a line `--- title`, with
-- `since N` for one that only newer versions have.

--- a view: a string in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE EXISTS (SELECT 'x' FROM t u WHERE u.id = t.id);

--- a view: a string with quotes in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE EXISTS (SELECT 'it''s \ "' FROM t u WHERE u.id = t.id);

--- a view: NULL in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t WHERE EXISTS (SELECT NULL FROM t u WHERE u.id = t.id);

--- a view: a negative number in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t WHERE EXISTS (SELECT -1 FROM t u WHERE u.id = t.id);

--- a view: a large number in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t WHERE EXISTS (SELECT 3000000000, -1.5, 1.5 FROM t u WHERE u.id = t.id);

--- a view: true in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t WHERE EXISTS (SELECT true, false FROM t u WHERE u.id = t.id);

--- a view: several in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE EXISTS (SELECT 'a', 1, 'b', u.id, 'c' AS d FROM t u WHERE u.id = t.id);

--- a view: a string IN a query
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE name IN (SELECT 'x');

--- a view: a scalar query
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3) AS SELECT id, (SELECT 'x'), (SELECT NULL) AS n, (SELECT -5) FROM t;

--- a view: an ARRAY of a query
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id, ARRAY(SELECT 'x' FROM t) AS a FROM t;

--- a view: a string in FROM
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT s.* FROM (SELECT 'x', NULL AS m, -1 AS n) AS s;

--- a view: a string in WITH
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS WITH w AS (SELECT 'x') SELECT * FROM w;

--- a view: a string in UNION
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT 'x' UNION ALL SELECT name FROM t UNION SELECT NULL;

--- a view: types of constants
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE EXISTS (SELECT '1 day'::interval, '2000-01-01'::date, '2000-01-01'::timestamptz,'a'::varchar, 'a'::varchar(3), 'a'::char(2), '{1,2}'::int[], '1'::numeric(4, 1), 'a'::name, '(1,2)'::point, '1'::float8,'1'::real, '1'::smallint, 'a'::"char", B'1', B'1'::bit(3), B'1'::varbit, '12:00'::timetz, '{}'::jsonb, '12:00'::time);

--- a view: an enum in EXISTS
CREATE TYPE mood AS ENUM ('a');
CREATE TYPE "Mood x" AS ENUM ('a');CREATE VIEW v AS SELECT 1 AS a WHERE EXISTS (SELECT 'a'::mood, 'a'::"Mood x", '{a}'::mood[]);

--- a view: strings without an alias
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT 'x', 'y' AS text, 'z'::varchar, NULL AS "null" FROM t;

--- a view: varchar IN a list
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE kind IN ('a', 'b');

--- a view: varchar NOT IN a list
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE kind NOT IN ('a', 'b') OR kind = 'c';

--- a view: varchar LIKE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE kind LIKE 'a%' AND kind ~ 'x' AND lower(kind) = ANY (ARRAY['a', 'b']);

--- a view: CASE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT CASE kind WHEN 'a' THEN 'x' WHEN 'b' THEN name ELSE NULL END, CASE WHEN id > 1 THEN 'a' ELSE 'b' END AS c FROM t;

--- a view: CASE in EXISTS
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE EXISTS (SELECT CASE WHEN id > 1 THEN 'a' END, COALESCE('a', 'b'), GREATEST('a', name),NULLIF('a', 'b'), ARRAY['a'], ROW('a', 1), 'a' || 'b', 'a'::text || 'b');

--- a view: VALUES
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS VALUES (1, 'a', NULL), (2, 'b', 'c');

--- a view: VALUES in FROM
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT v.a, v.b FROM (VALUES (1, 'a'), (2, NULL)) AS v (a, b);

--- a view: VALUES without names
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT * FROM (VALUES (1, 'a')) AS v;

--- a view: VALUES in IN
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id FROM t WHERE name IN (VALUES ('a'), ('b'));

--- a view: LIMIT and OFFSET
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t ORDER BY name NULLS FIRST, 1 LIMIT 5 OFFSET 2;

--- a view: FETCH WITH TIES
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t ORDER BY id FETCH FIRST 5 ROWS WITH TIES;

--- a view: GROUP BY numbers
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT name, kind, count(*) FILTER (WHERE id > 1) FROM t GROUP BY 1, 2 HAVING max(id) > 1 ORDER BY 3 DESC;

--- a view: GROUP BY DISTINCT
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT name, kind FROM t GROUP BY DISTINCT ROLLUP (name), CUBE (name, kind), GROUPING SETS ((), (kind));

--- a view: GROUP BY an expression
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT lower(name), count(*) AS n FROM t GROUP BY lower(name) HAVING lower(name) <> 'x' ORDER BY lower(name);

--- a view: windows
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT id, sum(n) OVER w, rank() OVER (w RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), row_number() OVER (PARTITION BY name ORDER BY id ROWS 2 PRECEDING EXCLUDE TIES), lag(name, 1, 'x') OVER () FROM t WINDOW w AS (ORDER BY id);

--- a view: SQL functions
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15) AS SELECT extract(epoch FROM at), position('a' IN name), substring(name FROM 2 FOR 3), trim(BOTH 'x' FROM name),overlay(name PLACING 'a' FROM 1), at AT TIME ZONE 'UTC', normalize(name), current_date, current_timestamp(2), localtime,name COLLATE "C", name IS NORMALIZED, (at, at) OVERLAPS (at, at), substring(name SIMILAR 'a' ESCAPE 'b'), current_user, session_user FROM t;

--- a view: tests
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15) AS SELECT id IS DISTINCT FROM 1, id BETWEEN 1 AND 2, name IS NULL, (id > 1) IS NOT TRUE, NOT (id > 1 AND name = 'a' OR id < 2),id BETWEEN SYMMETRIC 2 AND 1, name SIMILAR TO 'a|b', name ILIKE 'a', ROW(id, name) = ROW(1, 'a'), ROW(id, name) IS NULL,(id, name) > (1, 'a'), id = ANY (ARRAY[1, 2]), id <> ALL ('{1,2}'), name = SOME (tags), tags[1:2], tags[1] FROM t;

--- a view: arithmetic
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12) AS SELECT -id, - 1, id % 2, 2 ^ id, @ id, id # 1, ~ id, id << 1, |/ id, n * 1.0, n::integer, n::numeric(8, 3), id::text::varchar(3) FROM t;

--- a view: JOINs
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT a.id, b.name FROM t a LEFT JOIN t b USING (id) RIGHT JOIN t c ON c.id = b.id CROSS JOIN t e;

--- a view: JOIN USING with an alias
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT j.id, a.name FROM t a JOIN t b USING (id) AS j;

--- a view: JOIN of one table
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT a.id FROM t a JOIN t b ON a.id = b.id AND b.name = 'x';

--- a view: a JOIN with an alias
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT j.x FROM (t a JOIN t b ON a.id = b.id) AS j (x);

--- a view: LATERAL
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT t.id, l.x FROM t, LATERAL (SELECT t.id + 1 AS x, 'a' AS y) AS l;

--- a view: functions in FROM
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT g, u.o, j.b, r.* FROM generate_series(1, 2) AS g, unnest(ARRAY['a']) WITH ORDINALITY AS u (a, o), json_to_record('{}') AS j (a integer, b text), ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) AS r;

--- a view: XMLTABLE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT x.* FROM t, XMLTABLE('/a/b' PASSING ('<a/>'::xml) COLUMNS id integer PATH '@id' DEFAULT 1 NOT NULL, o FOR ORDINALITY, name text) AS x;

--- a view: XML functions
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3) AS SELECT xmlelement(name a, xmlattributes(id AS b), name), xmlforest(id, name AS x), xmlconcat('<a/>', '<b/>'), xmlserialize(CONTENT '<a/>'::xml AS text) FROM t;

--- a view: recursion
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS WITH RECURSIVE r (i, p) AS (SELECT 1, 'a' UNION ALL SELECT i + 1, p || 'x' FROM r WHERE i < 5) SELECT i, p FROM r;

--- a view: SEARCH and CYCLE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 5) SEARCH DEPTH FIRST BY i SET o CYCLE i SET c USING p SELECT i FROM r;

--- a view: MATERIALIZED
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 'y' AS y) SELECT a.x, b.y FROM a, b;

--- a view: set operations
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS (SELECT id FROM t EXCEPT SELECT 1) UNION ALL (SELECT 2 INTERSECT ALL SELECT 3) ORDER BY 1 LIMIT 3;

--- a view: nested views
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT x.id FROM (SELECT id FROM (SELECT t.id, t.name FROM t) y WHERE y.name = 'a') x;

--- a view: all columns
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT * FROM t;

--- a view: a whole row
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT t, t.id, row_to_json(t.*) FROM t;

--- a view: an alias
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT a.id AS x, a.name FROM t AS a;

--- a view: aliases of columns
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT a.x, a.y FROM t AS a (x, y);

--- a view: ONLY
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM ONLY t;

--- a view: TABLESAMPLE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t TABLESAMPLE bernoulli (5) REPEATABLE (3);

--- a view: FOR UPDATE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT id FROM t FOR UPDATE OF t SKIP LOCKED;

--- a view: ordered aggregates
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT string_agg(name, ',' ORDER BY id DESC), array_agg(DISTINCT kind), percentile_cont(0.5) WITHIN GROUP (ORDER BY n),mode() WITHIN GROUP (ORDER BY name) FROM t;

--- a view: json
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3) AS SELECT '{"a": 1}'::jsonb -> 'a', '{}'::jsonb ->> 'b', ('{}'::jsonb)['a'], jsonb_path_query('{}', '$.a') FROM t;

--- a view: names that became keywords
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT 1 AS json, 2 AS "json_table", 3 AS merge_action, 4 AS "values", 5 AS "system_user" FROM t;

--- a view: names of functions
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v AS SELECT x.json_value, x.json_exists FROM (SELECT 1 AS json_value, 2 AS json_exists) x;

--- a view: intervals and dates
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3, c4) AS SELECT at + '1 day', at > '2000-01-01', date_trunc('day', at), interval '1' DAY, '1 mon 2 days'::interval(3) FROM t;

--- a view: security_barrier and check option
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v WITH (security_barrier = true) AS SELECT id FROM t WHERE id > 1 WITH CASCADED CHECK OPTION;

--- a view: security_invoker since 15
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v WITH (security_invoker = true) AS SELECT id FROM t;

--- a view of a view
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW a AS SELECT id, 'x' AS x FROM t;
CREATE VIEW b AS SELECT a.x FROM a;
CREATE VIEW c AS SELECT b.x, a.id FROM b, a;

--- a view whose columns were renamed
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v AS SELECT id, 'x' AS x FROM t;
ALTER VIEW v RENAME x TO y;
ALTER TABLE t RENAME id TO no;
ALTER TABLE t RENAME TO u;

--- a view whose table got a column
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v AS SELECT * FROM t JOIN (SELECT id AS i FROM t) u ON i = id;
ALTER TABLE t ADD i integer;

--- a view of a dropped column
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE TABLE u (a integer, b integer);
CREATE VIEW v AS SELECT * FROM t JOIN u ON a = id;
ALTER TABLE u ADD c integer;
ALTER TABLE t DROP tags CASCADE;
CREATE OR REPLACE VIEW v AS SELECT a.id FROM t a, u;

--- views of each other
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW a AS SELECT 1 AS x;
CREATE VIEW b AS SELECT x FROM a;
CREATE OR REPLACE VIEW a AS SELECT 2 AS x;

--- a view: system columns
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v AS SELECT tableoid, ctid, xmin::text FROM t;

--- a recursive view
CREATE RECURSIVE VIEW v (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v WHERE n < 10;

--- a materialized view
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE MATERIALIZED VIEW m AS SELECT 'x', id, -1 AS n FROM t WHERE EXISTS (SELECT 'y');
CREATE INDEX ON m (id);
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 5;

--- a view: JSON constructors since 16
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT JSON_OBJECT('a': 1), JSON_ARRAY(1, 2), '{}' IS JSON, JSON_ARRAYAGG(id) FROM t;

--- a view: JSON_TABLE since 17
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a integer PATH '$.a', o FOR ORDINALITY)) AS j;

--- a view: any_value since 16
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v (c0, c1, c2, c3, c4) AS SELECT any_value(id), system_user, 1_000, 0x1F, 0b11 FROM t;

--- a view: MERGE words since 17
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
CREATE VIEW v  AS SELECT JSON_VALUE('{}', '$.a'), JSON_QUERY('{}', '$.a' WITH WRAPPER), JSON_EXISTS('{}', '$.a') FROM t;

--- a check: varchar IN
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (kind IN ('a', 'b'));

--- a check: varchar =
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (kind = 'a' OR kind <> 'b');

--- a check: varchar = ANY
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (kind = ANY (ARRAY['a', 'b']) AND kind::text = ANY ('{a,b}'::text[]));

--- a check: text IN
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (name IN ('a', 'b') AND id IN (1, 2) AND n IN (1, 2.5));

--- a check: NOT IN
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (name NOT IN ('a', 'b') AND kind NOT IN ('c', 'd'));

--- a check: one in a list
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (kind IN ('a'));

--- a check: char_length
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (char_length(name) <= 5 AND length(kind) > 0 AND octet_length(name) < 9);

--- a check: a regular expression
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (name ~ '^[a-z]\d+$' AND kind !~* 'x');

--- a check: dates
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (at > '2000-01-01' AND at < '2000-01-01 00:00+02'::timestamptz AND at::date <> date '2001-02-03');

--- a check: numbers
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (n > 0 AND n >= 0.5 AND n < 1e5 AND id > -1 AND id < 3000000000 AND n = -1.5);

--- a check: CASE
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (CASE WHEN kind = 'a' THEN name IS NOT NULL WHEN kind IN ('b', 'c') THEN id > 1 ELSE true END);

--- a check: rows
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK ((id, name) <> (1, 'a') AND num_nonnulls(id, name) = 1);

--- a check: arrays
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK (tags <@ ARRAY['a', 'b'] AND cardinality(tags) > 1 AND 'x' = ANY (tags) AND tags <> '{}');

--- a check: booleans
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);
ALTER TABLE t ADD CHECK ((id > 1) IS TRUE AND NOT (name = 'x') AND (id > 1) = true);

--- a check: enums
CREATE TYPE mood AS ENUM ('a', 'b', 'c');
CREATE TABLE t (m mood DEFAULT 'a' CHECK (m IN ('a', 'b')), n mood[] DEFAULT '{a}' CHECK (n <> '{b}'));

--- a check: bpchar
CREATE TABLE t (c char(3) DEFAULT 'x' CHECK (c IN ('a', 'b')), d "char" DEFAULT 'y' CHECK (d IN ('a', 'b')), e name CHECK (e IN ('a', 'b')));

--- a check: other types
CREATE TABLE t (a inet CHECK (a << '10.0.0.0/8'), b uuid CHECK (b <> '00000000-0000-0000-0000-000000000000'), c jsonb CHECK (c ? 'a' AND jsonb_typeof(c) IN ('object', 'array')), d smallint CHECK (d IN (1, 2)), e bigint CHECK (e IN (1, 2)), f real CHECK (f > 1.5), g money CHECK (g > '1'), h bit(3) CHECK (h <> B'111'), i interval CHECK (i < '1 day'));

--- a check: a domain
CREATE DOMAIN d AS varchar(9) CHECK (VALUE IN ('a', 'b')) DEFAULT 'a' NOT NULL;
CREATE DOMAIN e AS d CHECK (VALUE <> 'c');
CREATE TABLE t (d d CHECK (d IN ('a', 'b')), e e);

--- a check: a whole row and a function
CREATE FUNCTION f(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE TABLE t (a text CHECK (f(a)), b varchar CHECK (f(b)), CHECK (t IS NOT NULL));

--- defaults
CREATE TABLE t (a varchar(9) DEFAULT 'x', b text DEFAULT 'a' || 'b', c timestamptz DEFAULT now() - interval '1 day', d jsonb DEFAULT '{}', e text[] DEFAULT '{}', f text[] DEFAULT ARRAY['a'], g numeric DEFAULT -1.50, h integer DEFAULT -1, i boolean DEFAULT false, j date DEFAULT current_date, k uuid DEFAULT gen_random_uuid(), l bigint DEFAULT 5, m smallint DEFAULT 5, n char(3) DEFAULT 'a', o timestamp DEFAULT (now() AT TIME ZONE 'utc'), p varchar[] DEFAULT ARRAY['a', 'b']::varchar[], q text DEFAULT NULL, r varchar DEFAULT NULL::varchar, s bytea DEFAULT '\xff', u text DEFAULT E'a\nb', v float8 DEFAULT 0.1, w interval DEFAULT '1 hour', x text DEFAULT current_user, y time DEFAULT '12:00');

--- generated columns
CREATE TABLE t (id integer, kind varchar(9), name text, a text GENERATED ALWAYS AS (kind || ' ' || coalesce(name, 'x')) STORED, b integer GENERATED ALWAYS AS (CASE WHEN kind IN ('a', 'b') THEN -1 ELSE id END) STORED, c tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(name, ''))) STORED, d varchar(20) GENERATED ALWAYS AS (lower(kind)) STORED);

--- virtual columns since 18
CREATE TABLE t (id integer, a integer GENERATED ALWAYS AS (id * 2) VIRTUAL, b text GENERATED ALWAYS AS (id::text || 'x'));

--- index expressions
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE INDEX a ON t (lower(kind), (kind || 'x'), coalesce(name, 'y'));
CREATE INDEX b ON t (id) WHERE kind IN ('a', 'b') AND name IS NOT NULL;
CREATE INDEX c ON t ((n::integer)) INCLUDE (at);
CREATE UNIQUE INDEX d ON t (lower(name) text_pattern_ops DESC NULLS LAST);
CREATE INDEX e ON t USING gin (tags);
CREATE INDEX f ON t USING brin (at) WITH (pages_per_range = 4);
CREATE INDEX g ON t (name COLLATE "C");
CREATE INDEX h ON t ((CASE WHEN kind = 'a' THEN 'x' ELSE NULL END));
CREATE INDEX i ON t USING hash (name);
CREATE INDEX j ON t USING gist (int4range(id, 5));

--- NULLS NOT DISTINCT since 15
CREATE TABLE t (a integer, b integer, UNIQUE NULLS NOT DISTINCT (a, b));
CREATE UNIQUE INDEX i ON t (b) NULLS NOT DISTINCT;

--- exclusion
CREATE TABLE t (a int4range, b varchar(5), EXCLUDE USING gist (a WITH &&) WHERE (b IN ('a', 'b')));

--- foreign keys
CREATE TABLE a (x integer, y integer, PRIMARY KEY (x, y));
CREATE TABLE b (x integer, y integer, FOREIGN KEY (x, y) REFERENCES a MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE b ADD CONSTRAINT n FOREIGN KEY (x, y) REFERENCES a NOT VALID;

--- foreign keys with columns since 15
CREATE TABLE a (x integer, y integer, PRIMARY KEY (x, y));
CREATE TABLE b (x integer, y integer, FOREIGN KEY (x, y) REFERENCES a ON DELETE SET NULL (y));

--- NOT NULL of a renamed table
CREATE TABLE users (email text NOT NULL, id serial PRIMARY KEY);
ALTER TABLE users RENAME TO people;

--- NOT NULL of a renamed column
CREATE TABLE users (email text NOT NULL);
ALTER TABLE users RENAME email TO mail;

--- NOT NULL of partitions
CREATE TABLE p (id integer NOT NULL, at date NOT NULL, x text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
CREATE TABLE p2 (id integer NOT NULL, at date NOT NULL, x text NOT NULL);
ALTER TABLE p ATTACH PARTITION p2 DEFAULT;

--- NOT NULL of children
CREATE TABLE b (id integer NOT NULL, x text);
CREATE TABLE c (y text NOT NULL) INHERITS (b);
CREATE TABLE d (id integer NOT NULL, x text NOT NULL) INHERITS (b);
ALTER TABLE c ALTER x SET NOT NULL;

--- NOT NULL of a child alone
CREATE TABLE b (id integer);
CREATE TABLE c () INHERITS (b);
ALTER TABLE c ALTER id SET NOT NULL;
CREATE TABLE d (id integer PRIMARY KEY) INHERITS (b);

--- NOT NULL that was dropped
CREATE TABLE t (id integer NOT NULL, x text NOT NULL);
ALTER TABLE t ALTER x DROP NOT NULL;
ALTER TABLE t ADD PRIMARY KEY (id);

--- NOT NULL of LIKE
CREATE TABLE a (id integer PRIMARY KEY, x text NOT NULL);
CREATE TABLE b (LIKE a);
CREATE TABLE c (LIKE a INCLUDING ALL);

--- a key that was dropped
CREATE TABLE t (id integer, CONSTRAINT k PRIMARY KEY (id));
ALTER TABLE t DROP CONSTRAINT k;

--- identity INCLUDING ALL
CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY (START 5 CACHE 3), s smallint GENERATED BY DEFAULT AS IDENTITY, x bigint);
CREATE TABLE b (LIKE a INCLUDING ALL);
CREATE TABLE c (LIKE a INCLUDING IDENTITY, y text);

--- identity of another type
CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY);
ALTER TABLE t ALTER id TYPE bigint;

--- identity of another type, with a maximum
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY);
ALTER TABLE t ALTER id TYPE integer;
CREATE TABLE u (id smallint GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1));
ALTER TABLE u ALTER id TYPE bigint;

--- serial of another type
CREATE TABLE t (id serial, b bigserial, s smallserial);
ALTER TABLE t ALTER id TYPE bigint;
ALTER SEQUENCE t_b_seq AS integer;
ALTER SEQUENCE t_s_seq RENAME TO q;

--- identity of a renamed table
CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY);
ALTER TABLE t RENAME TO u;
ALTER TABLE u RENAME id TO no;

--- identity of partitions
CREATE TABLE p (id bigint GENERATED ALWAYS AS IDENTITY, k integer) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (id bigint NOT NULL, k integer);

--- sequences
CREATE SEQUENCE a;
CREATE SEQUENCE b AS smallint INCREMENT -2 MAXVALUE 5 MINVALUE -50 START 3 CYCLE;
CREATE SEQUENCE c OWNED BY NONE;

--- partition bounds
CREATE TABLE r (a integer, b text, c timestamptz, d numeric) PARTITION BY RANGE (a, b);
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (MINVALUE, MINVALUE) TO (-5, 'it''s');
CREATE TABLE r2 PARTITION OF r FOR VALUES FROM (1, 'a') TO (2, MAXVALUE);

--- partition bounds of dates
CREATE TABLE r (c timestamptz, d date) PARTITION BY RANGE (c);
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM ('2000-01-01') TO ('2000-02-01 12:00+02');
CREATE TABLE r2 PARTITION OF r FOR VALUES FROM ('2001-01-01 00:00:00.5') TO (MAXVALUE);

--- partition bounds of lists
CREATE TABLE l (a varchar(5), b integer) PARTITION BY LIST (a);
CREATE TABLE l1 PARTITION OF l FOR VALUES IN ('a', 'b', NULL);
CREATE TABLE l2 PARTITION OF l DEFAULT;
CREATE TABLE m (b bigint) PARTITION BY LIST (b);
CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1, -2, 3000000000);
CREATE TABLE n (b boolean) PARTITION BY LIST (b);
CREATE TABLE n1 PARTITION OF n FOR VALUES IN (true);

--- partition keys
CREATE TABLE h (a varchar(9), b integer) PARTITION BY HASH (lower(a), b);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE e (a text, b date) PARTITION BY RANGE ((a || 'x') COLLATE "C", extract(year FROM b));
CREATE TABLE o (a text) PARTITION BY LIST (a text_pattern_ops);

--- indexes of partitions
CREATE TABLE p (id integer, k integer) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE INDEX i ON p (id);
CREATE UNIQUE INDEX u ON p (k);
ALTER TABLE p ADD CONSTRAINT c UNIQUE (k, id);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE INDEX own ON p1 (k);

--- keys of partitions
CREATE TABLE p (id integer, k integer, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY RANGE (id);
CREATE TABLE p11 PARTITION OF p1 DEFAULT;
CREATE TABLE q (id integer, k integer, FOREIGN KEY (id, k) REFERENCES p) PARTITION BY LIST (k);
CREATE TABLE q1 PARTITION OF q DEFAULT;

--- inheritance
CREATE TABLE a (id integer DEFAULT 5 CHECK (id > 0), x text);
CREATE TABLE b (y text CHECK (y <> ''));
CREATE TABLE c (id integer, z text) INHERITS (a, b);
ALTER TABLE c ALTER id SET DEFAULT 7;
CREATE TABLE d (w integer) INHERITS (c);
ALTER TABLE a ADD n text;

--- column settings
CREATE TABLE t (a text, b text, c integer);
ALTER TABLE t ALTER a SET STORAGE MAIN, ALTER a SET STATISTICS 0, ALTER b SET COMPRESSION pglz, ALTER c SET STATISTICS 7, ALTER b SET (n_distinct = 3);

--- storage parameters
CREATE TABLE t (a text) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_enabled = off);
CREATE UNLOGGED TABLE u (id serial, i integer GENERATED ALWAYS AS IDENTITY);

--- types
CREATE TYPE r AS RANGE (SUBTYPE = float8);
CREATE TYPE s AS RANGE (SUBTYPE = text, COLLATION = "C", MULTIRANGE_TYPE_NAME = many);
CREATE TYPE c AS (a varchar(5), b text COLLATE "C", d numeric(4, 1)[]);
CREATE TYPE e AS ENUM ('it''s', 'b');
CREATE TABLE t (r r, m many, c c[], e e DEFAULT 'b', n nummultirange DEFAULT '{[1,2]}');

--- row security
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY a ON t USING (kind IN ('a', 'b') AND name = current_setting('app.x', true));
CREATE POLICY b ON t FOR INSERT WITH CHECK (EXISTS (SELECT 'x' FROM t u WHERE u.id = t.id));
CREATE POLICY c ON t TO catalog_reader, catalog_other USING (id = (SELECT -1));

--- rules
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE TABLE u (a text, b integer);
CREATE VIEW v AS SELECT id, name FROM t;
CREATE RULE a AS ON INSERT TO v DO INSTEAD INSERT INTO t (id, name) VALUES (NEW.id, 'x') RETURNING id, name;
CREATE RULE b AS ON UPDATE TO v WHERE OLD.id > 1 DO ALSO (UPDATE t SET name = NEW.name, kind = 'x' WHERE id = OLD.id;
DELETE FROM u WHERE a = 'y');
CREATE RULE c AS ON DELETE TO t DO ALSO INSERT INTO u SELECT 'gone', -1 WHERE EXISTS (SELECT 'x' FROM t);
CREATE RULE d AS ON UPDATE TO t DO ALSO NOTIFY x, 'y';

--- rules with aliases
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE RULE a AS ON UPDATE TO t DO ALSO UPDATE t AS n SET name = 'x' FROM t AS o WHERE n.id = o.id;
CREATE RULE b AS ON INSERT TO t DO ALSO INSERT INTO t AS x (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'y' || EXCLUDED.name WHERE x.id > 1;

--- triggers
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER a BEFORE INSERT OR UPDATE OF name, kind ON t FOR EACH ROW WHEN (NEW.kind IN ('a', 'b') AND NEW.name IS DISTINCT FROM 'x') EXECUTE FUNCTION g('it''s', 1);
CREATE TRIGGER b AFTER TRUNCATE ON t EXECUTE FUNCTION g();
CREATE VIEW v AS SELECT id FROM t;
CREATE TRIGGER c INSTEAD OF DELETE ON v FOR EACH ROW EXECUTE FUNCTION g();

--- statistics
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE STATISTICS a ON id, name FROM t;
CREATE STATISTICS b (mcv) ON lower(kind), (kind || 'x'), id FROM t;
CREATE STATISTICS c ON (CASE WHEN kind = 'a' THEN 'x' END) FROM t;

--- functions
CREATE FUNCTION a(x varchar(5), y text DEFAULT 'a', z integer DEFAULT -1, w text[] DEFAULT '{}', v date DEFAULT current_date) RETURNS varchar LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION b(INOUT a integer, OUT b text) LANGUAGE sql AS 'SELECT 1, ''a''::text';
CREATE FUNCTION c() RETURNS TABLE (a text, b integer) LANGUAGE sql SET search_path = a, pg_temp SET work_mem = '1MB' SET datestyle = 'ISO, DMY' AS 'SELECT ''a''::text, 2';
CREATE FUNCTION d(VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL RESTRICTED LEAKPROOF COST 5 AS 'SELECT 1';
CREATE FUNCTION e("Ä" text, "Ä b" text) RETURNS SETOF integer LANGUAGE sql ROWS 5 AS 'SELECT 1';
CREATE PROCEDURE p(a text, INOUT b integer DEFAULT 3) LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE q(OUT a integer) LANGUAGE plpgsql AS 'BEGIN END';

--- functions with keywords as names of parameters
-- Not a part of a SCHEMA with others: the dump of an older server cannot be loaded.
CREATE FUNCTION a("json" text) RETURNS TABLE ("json_value" text, b integer) LANGUAGE sql AS 'SELECT ''a''::text, 2';

--- BEGIN ATOMIC
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE FUNCTION a() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'x';
END;
CREATE FUNCTION b(i integer) RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC INSERT INTO t (id, name) VALUES (i, 'x');
UPDATE t SET name = 'y' WHERE t.id = i AND kind IN ('a', 'b');
DELETE FROM t WHERE EXISTS (SELECT 'x');
SELECT t.name FROM t WHERE t.id = b.i;
END;
CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC END;
CREATE FUNCTION c() RETURNS integer LANGUAGE sql RETURN (SELECT -1);
CREATE FUNCTION d() RETURNS integer LANGUAGE sql RETURN 1 + 1;
CREATE FUNCTION e() RETURNS SETOF t LANGUAGE sql BEGIN ATOMIC SELECT * FROM t;
END;
CREATE FUNCTION f(x integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT NULL, NULL AS a;
SELECT -5;
END;

--- MERGE since 15
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE FUNCTION a() RETURNS void LANGUAGE sql BEGIN ATOMIC MERGE INTO t USING (SELECT 1 AS i, 'x' AS x) s ON s.i = t.id WHEN MATCHED AND s.x = 'y' THEN UPDATE SET name = s.x WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.i, 'z');
END;

--- aggregates
CREATE AGGREGATE b (text) (SFUNC = textcat, STYPE = text, INITCOND = 'it''s');
CREATE AGGREGATE c (*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');

--- comments
CREATE TABLE t (id integer PRIMARY KEY, name text, kind varchar(9), at timestamptz, n numeric(6, 2), tags text[]);CREATE VIEW v AS SELECT 1 AS a;
COMMENT ON TABLE t IS E'it''s\n\\ x';
COMMENT ON COLUMN v.a IS 'x';
COMMENT ON SCHEMA public IS 'ours';
COMMENT ON CONSTRAINT t_pkey ON t IS 'k';
COMMENT ON EXTENSION plpgsql IS 'x';

--- publications
CREATE TABLE t (a integer PRIMARY KEY, b text);
CREATE PUBLICATION a FOR TABLE t;
CREATE PUBLICATION b FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION c;

--- publications of rows since 15
CREATE TABLE t (a integer PRIMARY KEY, b varchar(5));
CREATE PUBLICATION a FOR TABLE t (a, b) WHERE (a > 1 AND a IN (1, 2)) WITH (publish = 'insert');
CREATE PUBLICATION d FOR TABLES IN SCHEMA public;

--- collations
CREATE COLLATION a FROM "C";
CREATE COLLATION b (LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
CREATE TABLE t (x text COLLATE a DEFAULT ('a' COLLATE b) CHECK (x > 'm' COLLATE b));

--- event triggers
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER a ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION e();
ALTER EVENT TRIGGER a ENABLE ALWAYS;

--- foreign data
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'x');
CREATE FOREIGN TABLE f (a integer OPTIONS (n 'x') NOT NULL DEFAULT 1, b varchar(5) CHECK (b IN ('a', 'b'))) SERVER s OPTIONS (x 'y');
CREATE USER MAPPING FOR PUBLIC SERVER s;

--- text search
CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = snowball, LANGUAGE = english, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION c (COPY = english);
ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING FOR word, asciiword WITH d, simple;

--- operators and casts
CREATE TYPE c AS (a integer);
CREATE FUNCTION f(c) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (c AS integer) WITH FUNCTION f(c) AS ASSIGNMENT;
CREATE FUNCTION eq(c, c) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR === (LEFTARG = c, RIGHTARG = c, FUNCTION = eq, COMMUTATOR = ===, RESTRICT = eqsel);

--- privileges: GRANT ALL ON t TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON t TO catalog_reader;
REVOKE TRUNCATE ON t FROM catalog_reader;

--- privileges: GRANT ALL ON v TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON v TO catalog_reader;
REVOKE TRUNCATE, TRIGGER ON v FROM catalog_reader;

--- privileges: GRANT ALL ON m TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON m TO catalog_reader;
REVOKE DELETE ON m FROM catalog_reader;

--- privileges: GRANT ALL ON q TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON q TO catalog_reader;
REVOKE UPDATE ON q FROM catalog_reader;

--- privileges: GRANT ALL ON t TO catalog_reader WITH GRANT OPTION
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON t TO catalog_reader WITH GRANT OPTION;
REVOKE GRANT OPTION FOR SELECT ON t FROM catalog_reader;

--- privileges: GRANT ALL ON t TO catalog_reader WITH GRANT OPTION (2)
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON t TO catalog_reader WITH GRANT OPTION;
REVOKE TRUNCATE ON t FROM catalog_reader;

--- privileges: GRANT ALL ON t TO PUBLIC
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON t TO PUBLIC;
REVOKE INSERT, UPDATE ON t FROM PUBLIC;

--- privileges: REVOKE ALL ON t FROM CURRENT_USER
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
REVOKE ALL ON t FROM CURRENT_USER;

--- privileges: REVOKE ALL ON t FROM CURRENT_USER (2)
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
REVOKE ALL ON t FROM CURRENT_USER;
GRANT SELECT ON t TO CURRENT_USER;

--- privileges: REVOKE DELETE, TRUNCATE ON t FROM CURRENT_USER
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
REVOKE DELETE, TRUNCATE ON t FROM CURRENT_USER;

--- privileges: GRANT ALL ON t TO CURRENT_USER WITH GRANT OPTION
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON t TO CURRENT_USER WITH GRANT OPTION;

--- privileges: all seven of 16
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON t TO catalog_reader;

--- privileges: GRANT ALL (id) ON t TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL (id) ON t TO catalog_reader;
REVOKE UPDATE (id) ON t FROM catalog_reader;

--- privileges: GRANT ALL (id) ON t TO catalog_reader (2)
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL (id) ON t TO catalog_reader;
GRANT SELECT (x) ON t TO catalog_reader WITH GRANT OPTION;

--- privileges: GRANT ALL ON ALL TABLES IN SCHEMA public TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON ALL TABLES IN SCHEMA public TO catalog_reader;
REVOKE ALL ON t FROM catalog_reader;
GRANT SELECT ON t TO catalog_reader;

--- privileges: ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE TRUNCATE ON TABLES FROM catalog_reader;

--- privileges: ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON TABLES TO catalog_
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE DELETE ON TABLES FROM catalog_reader;

--- privileges: ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO CURRENT_USER;
CREATE TABLE made (id integer);

--- privileges: ALTER DEFAULT PRIVILEGES FOR ROLE catalog_other GRANT ALL ON TABLES 
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES FOR ROLE catalog_other GRANT ALL ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE catalog_other REVOKE UPDATE ON TABLES FROM catalog_reader;

--- privileges: ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO catalog_reader (2)
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO catalog_reader;
CREATE TABLE made (id serial);
CREATE VIEW w AS SELECT 1 AS a;

--- privileges: ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO catalog_reader;
CREATE TABLE made (id serial);
CREATE SCHEMA n;
CREATE TYPE e AS ENUM ();

--- privileges: GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION;
SET ROLE catalog_reader;
GRANT SELECT ON t TO catalog_other;
RESET ROLE;

--- privileges: GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION (2)
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION;
GRANT SELECT ON t TO catalog_other;
SET ROLE catalog_reader;
GRANT SELECT ON t TO catalog_other;
RESET ROLE;

--- privileges: ALTER TABLE t OWNER TO catalog_other
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
ALTER TABLE t OWNER TO catalog_other;
GRANT ALL ON t TO catalog_reader;
REVOKE INSERT ON t FROM catalog_reader;

--- privileges: GRANT ALL ON SCHEMA s TO catalog_reader WITH GRANT OPTION
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT ALL ON SCHEMA s TO catalog_reader WITH GRANT OPTION;
REVOKE USAGE ON SCHEMA s FROM CURRENT_USER;

--- privileges: GRANT USAGE ON SCHEMA public TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT USAGE ON SCHEMA public TO catalog_reader;
GRANT CREATE ON SCHEMA public TO catalog_other;

--- privileges: GRANT USAGE ON LANGUAGE plpgsql TO catalog_reader
CREATE TABLE t (id integer, x text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
CREATE SEQUENCE q;
CREATE SCHEMA s;
GRANT USAGE ON LANGUAGE plpgsql TO catalog_reader;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;

--- privileges: schema public not for all
REVOKE ALL ON SCHEMA public FROM PUBLIC;

--- privileges: USAGE of public not for all
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO catalog_reader;

--- privileges: CREATE in public not for all
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

--- privileges: CREATE in public for all
GRANT CREATE ON SCHEMA public TO PUBLIC;

--- privileges: all of public for all
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT USAGE ON SCHEMA public TO catalog_reader;

--- privileges: public made again
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
GRANT ALL ON SCHEMA public TO PUBLIC;

--- privileges: public made again, untouched
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;

--- privileges: no public
DROP SCHEMA public CASCADE;
CREATE SCHEMA app;

--- privileges: constructors of a range
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE TYPE r AS RANGE (SUBTYPE = float8);

--- privileges: constructors of a range, granted
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
CREATE TYPE r AS RANGE (SUBTYPE = float8);
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
CREATE TYPE s AS RANGE (SUBTYPE = float8);

--- privileges: constructors of a range, revoked
CREATE TYPE r AS RANGE (SUBTYPE = float8);
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
REVOKE USAGE ON TYPE r FROM PUBLIC;

--- privileges: MAINTAIN since 17
CREATE TABLE t (id integer);
GRANT MAINTAIN ON t TO catalog_reader;
CREATE TABLE u (id integer);
GRANT ALL ON u TO catalog_reader;
REVOKE MAINTAIN ON u FROM catalog_reader;
REVOKE MAINTAIN ON t FROM CURRENT_USER;

--- conditions with BETWEEN and rows
CREATE TABLE t (a integer, b integer, CHECK (a BETWEEN 1 AND 2 AND b > 0), CHECK ((a, b) IS DISTINCT FROM (1, 3) OR b = 1));
CREATE VIEW v AS SELECT a FROM t WHERE a NOT BETWEEN 1 AND 2 OR b = 1;
