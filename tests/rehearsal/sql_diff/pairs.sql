-- Pairs of schemas, read by tests/rehearsal/sql_diff/pairs.py: `old` and what `change` makes of it, or the complete `new` one.

-- pair: a column with another name
-- rename: t.a=c
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE INDEX i ON t (a);
CREATE VIEW v AS SELECT a FROM t;
-- change:
ALTER TABLE t RENAME a TO c;

-- pair: a column with another name and type
-- rename: public.t.b=c
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
ALTER TABLE t RENAME b TO c;
ALTER TABLE t ALTER c TYPE bigint, ALTER c SET NOT NULL;

-- pair: a column with another name that is created again
-- rename: t.a=c
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- new:
CREATE TABLE t (id int PRIMARY KEY, c text, b int);

-- pair: a column that is dropped beside one that is added
-- drop: t.a
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
ALTER TABLE t DROP a, ADD c text;

-- pair: the second of two columns is the one that was added
-- rename: t.c=d
CREATE TABLE t (b text, c text);
-- change:
ALTER TABLE t DROP b;
ALTER TABLE t RENAME c TO d;

-- pair: a column that is dropped, and named so without need
-- drop: t.b
CREATE TABLE t (a text, b text);
-- change:
ALTER TABLE t DROP b;

-- pair: columns that exchange their parts
-- rename: t.a=x
-- rename: t.b=y
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
ALTER TABLE t RENAME a TO x;
ALTER TABLE t RENAME b TO y;

-- pair: a column with another name and a type that needs a cast
-- rename: t.a=c
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
ALTER TABLE t RENAME a TO c;
ALTER TABLE t ALTER c TYPE uuid USING NULL;

-- pair: a new table with several keys on the same columns
CREATE TABLE s (a int);
-- change:
CREATE TABLE t (a int NOT NULL, b int NOT NULL, CONSTRAINT first PRIMARY KEY (a, b), CHECK (a > 0), CONSTRAINT same CHECK (a > 0));
ALTER TABLE t ADD CONSTRAINT second UNIQUE (a, b);
ALTER TABLE t ADD CONSTRAINT third UNIQUE (a, b);
ALTER TABLE t ADD CONSTRAINT other UNIQUE (b, a);

-- pair: conditions that the server writes with fewer parentheses after they were read again
CREATE TABLE t (a int, b int, c bool);
-- change:
ALTER TABLE t ADD CHECK (a BETWEEN 0 AND 2 AND b > 0), ADD CHECK ((a, b) IS DISTINCT FROM (1, 3) OR c);
CREATE INDEX i ON t (a) WHERE a BETWEEN 0 AND 2 AND c;
CREATE VIEW v AS SELECT a, (b BETWEEN SYMMETRIC 1 AND 3 OR a > 1) AS x FROM t WHERE a BETWEEN 1 AND 2 AND b NOT BETWEEN 3 AND 4 AND c;
CREATE POLICY p ON t USING (a BETWEEN 1 AND 2 AND b > 0) WITH CHECK ((a, b) IS DISTINCT FROM (1, 2) OR false);
CREATE FUNCTION f(a int, b bool DEFAULT (1 BETWEEN 0 AND 2 AND true)) RETURNS bool LANGUAGE sql RETURN a BETWEEN 1 AND 2 AND b;

-- pair: existing columns that get a sequence, without the privileges that new sequences get by default
CREATE TABLE t (a bigint NOT NULL, b int GENERATED ALWAYS AS IDENTITY, c serial, d int GENERATED ALWAYS AS (1) STORED);
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO PUBLIC;
-- new:
CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY, b serial, c int GENERATED ALWAYS AS IDENTITY, d int);
ALTER TABLE t ALTER d SET NOT NULL, ALTER d ADD GENERATED ALWAYS AS IDENTITY;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO PUBLIC;

-- pair: a table that is dropped with what calls functions of its rows
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE FUNCTION sum(r t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT r.id + r.a';
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
ALTER TABLE t ADD CHECK (sum(t) > 0);
CREATE INDEX i ON t (sum(t));
CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (sum(NEW) > 0) EXECUTE FUNCTION f();
CREATE POLICY p ON t USING (sum(t) > 0);
CREATE RULE r AS ON DELETE TO t WHERE sum(OLD) > 5 DO INSTEAD NOTHING;
-- change:
DROP TABLE t CASCADE;
DROP FUNCTION f;

-- pair: a table that becomes partitioned with an index that calls a function of its rows
-- recreate:
CREATE TABLE t (id int NOT NULL, a int);
CREATE FUNCTION sum(r t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT r.id + r.a';
CREATE INDEX i ON t (sum(t));
-- new:
CREATE TABLE t (id int NOT NULL, a int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF t DEFAULT;
CREATE FUNCTION sum(r t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT r.id + r.a';

-- pair: a column that is the partition key of a new table below a partition
CREATE TABLE p (a text, b text) PARTITION BY LIST (a);
CREATE TABLE middle PARTITION OF p FOR VALUES IN ('x') PARTITION BY LIST (b);
-- new:
CREATE TABLE p (a text, b text, c date) PARTITION BY LIST (a);
CREATE TABLE middle PARTITION OF p FOR VALUES IN ('x') PARTITION BY LIST (b);
CREATE TABLE lowest PARTITION OF middle FOR VALUES IN ('y') PARTITION BY RANGE (c);

-- pair: an operator whose commutator does not exist
CREATE FUNCTION smaller(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2';
-- change:
CREATE OPERATOR <<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = smaller, COMMUTATOR = >>>>);

-- pair: a table with another name
-- rename: people=persons
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- change:
ALTER TABLE people RENAME TO persons;

-- pair: a table with another name in its indexes too
-- rename: people=persons
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- new:
CREATE TABLE persons (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX persons_age_idx ON persons (age);
CREATE VIEW v AS SELECT name FROM persons;

-- pair: a table and a column of it with other names
-- rename: people=persons
-- rename: persons.age=years
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- change:
ALTER TABLE people RENAME TO persons;
ALTER TABLE persons RENAME age TO years;

-- pair: a table that is dropped beside one that is added
-- drop: people
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- new:
CREATE TABLE persons (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX persons_age_idx ON persons (age);
CREATE VIEW v AS SELECT name FROM persons;

-- pair: a table in another schema
-- rename: people=s.people
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- change:
CREATE SCHEMA s;
ALTER TABLE people SET SCHEMA s;

-- pair: a schema with another name
-- rename: s=z
CREATE SCHEMA s;
CREATE TABLE s.t (id int);
CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- change:
ALTER SCHEMA s RENAME TO z;

-- pair: a type with another name
-- rename: mood=moods
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood RENAME TO moods;

-- pair: a domain with another name
-- rename: d=e
CREATE DOMAIN d AS int CHECK (VALUE > 1);
CREATE TABLE t (d d);
-- change:
ALTER DOMAIN d RENAME TO e;

-- pair: a label with another name, kept
-- rename: mood.ok=fine
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';

-- pair: a sequence with another name
-- rename: q=r
CREATE SEQUENCE q;
-- change:
ALTER SEQUENCE q RENAME TO r;

-- pair: an identity column with another name
-- rename: t.id=nr
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);
-- new:
CREATE TABLE t (nr int GENERATED ALWAYS AS IDENTITY);

-- pair: names in quotes
-- rename: "T t"."A a"="B b"
CREATE TABLE "T t" ("A a" int);
-- change:
ALTER TABLE "T t" RENAME "A a" TO "B b";

-- pair: indexes and constraints with other names
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age > 0));
CREATE INDEX people_age_idx ON people (age);
CREATE VIEW v AS SELECT name FROM people;
-- change:
ALTER INDEX people_age_idx RENAME TO i;
ALTER TABLE people RENAME CONSTRAINT people_pkey TO pk;
ALTER TABLE people RENAME CONSTRAINT people_age_check TO c;
ALTER SEQUENCE people_id_seq RENAME TO q;

-- pair: a label and a default of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
ALTER TABLE t ALTER m SET DEFAULT 'wow';

-- pair: a label and a check of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
ALTER TABLE t ADD CHECK (m <> 'wow');

-- pair: a label and a partial unique index of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow' BEFORE 'ok';
CREATE UNIQUE INDEX i ON t (id) WHERE m = 'wow';

-- pair: a label and a view of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE VIEW v AS SELECT id FROM t WHERE m = 'wow';

-- pair: a label and a materialized view of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE m = 'wow';

-- pair: a label and a new column of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
ALTER TABLE t ADD n mood NOT NULL DEFAULT 'wow';

-- pair: a label and a new table of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE TABLE u (n mood DEFAULT 'wow' CHECK (n > 'ok'));

-- pair: a label and a generated column of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
ALTER TABLE t ADD g bool GENERATED ALWAYS AS (m = 'wow') STORED;

-- pair: a label and a function of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE FUNCTION f(x mood DEFAULT 'wow') RETURNS mood LANGUAGE sql RETURN x;

-- pair: a label and a domain of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE DOMAIN d AS mood DEFAULT 'wow' CHECK (VALUE <> 'ok');

-- pair: a label and a policy of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood ADD VALUE 'wow';
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (m = 'wow');

-- pair: a label and a trigger of it
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- change:
ALTER TYPE mood ADD VALUE 'wow';
CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.m = 'wow') EXECUTE FUNCTION f();

-- pair: a label that is removed
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- new:
CREATE TYPE mood AS ENUM ('ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');

-- pair: labels in another order
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- new:
CREATE TYPE mood AS ENUM ('happy', 'sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');

-- pair: a label with another name
-- drop: mood.ok
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- change:
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';

-- pair: a label is removed that a check, an index, a view and a policy name
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
ALTER TABLE t ADD CONSTRAINT c CHECK (m <> 'sad');
CREATE INDEX i ON t (m) WHERE m = 'happy';
CREATE INDEX j ON t (m);
CREATE VIEW v AS SELECT m FROM t WHERE m = 'ok';
CREATE POLICY p ON t USING (m = 'ok');
GRANT SELECT ON v TO catalog_reader;
COMMENT ON VIEW v IS 'v';
-- new:
CREATE TYPE mood AS ENUM ('ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
ALTER TABLE t ADD CONSTRAINT c CHECK (m <> 'ok');
CREATE INDEX i ON t (m) WHERE m = 'happy';
CREATE INDEX j ON t (m);
CREATE VIEW v AS SELECT m FROM t WHERE m = 'ok';
CREATE POLICY p ON t USING (m = 'ok');
GRANT SELECT ON v TO catalog_reader;
COMMENT ON VIEW v IS 'v';

-- pair: a label is removed from an enum in arrays, domains, functions and generated columns
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN d AS mood CHECK (VALUE > 'sad');
CREATE TABLE t (a mood[] DEFAULT '{ok}', d d, m mood, g text GENERATED ALWAYS AS (CASE WHEN m = 'ok' THEN 'x' END) STORED);
CREATE INDEX i ON t USING gin (a);
CREATE FUNCTION f(x mood) RETURNS SETOF mood LANGUAGE sql AS 'SELECT x';
CREATE VIEW v AS SELECT f(m) FROM t;
GRANT USAGE ON TYPE mood TO catalog_reader;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
COMMENT ON TYPE mood IS 'x';
COMMENT ON COLUMN t.m IS 'm';
-- new:
CREATE TYPE mood AS ENUM ('ok', 'happy');
CREATE DOMAIN d AS mood CHECK (VALUE > 'ok');
CREATE TABLE t (a mood[] DEFAULT '{ok}', d d, m mood, g text GENERATED ALWAYS AS (CASE WHEN m = 'ok' THEN 'x' END) STORED);
CREATE INDEX i ON t USING gin (a);
CREATE FUNCTION f(x mood) RETURNS SETOF mood LANGUAGE sql AS 'SELECT x';
CREATE VIEW v AS SELECT f(m) FROM t;
GRANT USAGE ON TYPE mood TO catalog_reader;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
COMMENT ON TYPE mood IS 'x';
COMMENT ON COLUMN t.m IS 'm';

-- pair: a label is removed from the enum of a key that is referred to
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (m mood PRIMARY KEY);
CREATE TABLE u (m mood REFERENCES t);
-- new:
CREATE TYPE mood AS ENUM ('happy');
CREATE TABLE t (m mood PRIMARY KEY);
CREATE TABLE u (m mood REFERENCES t);

-- pair: an enum becomes a text
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- new:
CREATE TABLE t (id int PRIMARY KEY, m text DEFAULT 'ok');

-- pair: an enum becomes a text with a check
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- new:
CREATE TABLE t (id int PRIMARY KEY, m text DEFAULT 'ok' CHECK (m IN ('sad', 'ok')));

-- pair: a label is added to an enum that nothing uses
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
-- change:
ALTER TYPE mood ADD VALUE 'x' BEFORE 'sad';

-- pair: an enum moves to another schema
-- drop: mood
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok');
-- new:
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m s.mood DEFAULT 'ok');

-- pair: the enum of a partition key loses a label
-- outcome: refused
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (m mood) PARTITION BY LIST (m);
-- new:
CREATE TYPE mood AS ENUM ('happy');
CREATE TABLE t (m mood) PARTITION BY LIST (m);

-- pair: the base of a domain
CREATE DOMAIN d AS int CHECK (VALUE > 0);
CREATE TABLE t (d d DEFAULT 1);
-- new:
CREATE DOMAIN d AS bigint CHECK (VALUE > 0);
CREATE TABLE t (d d DEFAULT 1);

-- pair: a domain that loses its default and NOT NULL
CREATE DOMAIN d AS int DEFAULT 1 NOT NULL;
CREATE TABLE t (d d);
-- change:
ALTER DOMAIN d DROP DEFAULT;
ALTER DOMAIN d DROP NOT NULL;

-- pair: a domain over a domain
CREATE DOMAIN d AS int;
CREATE DOMAIN e AS d CHECK (VALUE > 1);
CREATE TABLE t (e e);
-- new:
CREATE DOMAIN d AS bigint;
CREATE DOMAIN e AS d CHECK (VALUE > 1);
CREATE TABLE t (e e);

-- pair: a composite type that nothing uses
CREATE TYPE c AS (a int, b text);
-- change:
ALTER TYPE c ADD ATTRIBUTE d date, DROP ATTRIBUTE a, ALTER ATTRIBUTE b TYPE varchar(3);

-- pair: a composite type in a function
CREATE TYPE c AS (a int);
CREATE FUNCTION f() RETURNS c LANGUAGE sql AS 'SELECT 1';
-- change:
DROP FUNCTION f;
DROP TYPE c;
CREATE TYPE c AS (a bigint);
CREATE FUNCTION f() RETURNS c LANGUAGE sql AS 'SELECT 1::bigint';

-- pair: the order of the attributes of a composite type in a table
CREATE TYPE c AS (a int, b int);
CREATE TABLE t (c c);
-- new:
CREATE TYPE c AS (b int, a int);
CREATE TABLE t (c c);

-- pair: the order of the attributes of a composite type in an array
-- outcome: refused
CREATE TYPE c AS (a int, b int);
CREATE TABLE t (c c[]);
-- new:
CREATE TYPE c AS (b int, a int);
CREATE TABLE t (c c[]);

-- pair: the subtype of a range
CREATE TYPE r AS RANGE (SUBTYPE = int);
CREATE TABLE t (r r);
CREATE INDEX i ON t USING gist (r);
-- new:
CREATE TYPE r AS RANGE (SUBTYPE = bigint);
CREATE TABLE t (r r);
CREATE INDEX i ON t USING gist (r);

-- pair: types that are made and dropped
CREATE TYPE a AS RANGE (SUBTYPE = date);
-- change:
DROP TYPE a;
CREATE TYPE b AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TYPE c AS (r b, t text COLLATE "C");

-- pair: a collation
-- change:
CREATE COLLATION c FROM "C";
CREATE TABLE t (a text COLLATE c);

-- pair: a collation changes
CREATE COLLATION c (LOCALE = 'C');
CREATE TABLE t (a text COLLATE c, b text COLLATE c);
CREATE INDEX i ON t (b);
-- new:
CREATE COLLATION c (LOCALE = 'POSIX');
CREATE TABLE t (a text COLLATE c, b text COLLATE c);
CREATE INDEX i ON t (b);

-- pair: a builtin collation
-- since: 17
-- change:
CREATE COLLATION c (provider = builtin, locale = 'C.UTF-8');
CREATE DOMAIN d AS text COLLATE c;

-- pair: an operator
CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
-- change:
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f, COMMUTATOR = ===);
CREATE VIEW v AS SELECT 1 OPERATOR(public.===) 2 AS x;
COMMENT ON OPERATOR === (int, int) IS 'x';

-- pair: a prefix operator
CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
-- change:
CREATE OPERATOR !!! (RIGHTARG = int, FUNCTION = f);
CREATE TABLE t (a int CHECK (!!! a));

-- pair: an operator with another function
CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION g(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f);
CREATE VIEW v AS SELECT 1 === 2 AS x;
-- new:
CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION g(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = g);
CREATE VIEW v AS SELECT 1 === 2 AS x;

-- pair: a cast
CREATE TYPE c AS (a int);
-- change:
CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT $1.a';
CREATE CAST (c AS int) WITH FUNCTION f(c) AS ASSIGNMENT;

-- pair: an aggregate changes
CREATE AGGREGATE s(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE VIEW v AS SELECT s(x) FROM generate_series(1, 3) AS x;
-- new:
CREATE AGGREGATE s(int) (SFUNC = int4pl, STYPE = int, INITCOND = '1');
CREATE VIEW v AS SELECT s(x) FROM generate_series(1, 3) AS x;

-- pair: a text search configuration
-- change:
CREATE TEXT SEARCH CONFIGURATION c (PARSER = default);
ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR word, asciiword WITH simple;
CREATE TABLE t (a text, v tsvector GENERATED ALWAYS AS (to_tsvector('c', a)) STORED);

-- pair: a text search dictionary
-- change:
CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION c (PARSER = default);
ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR word WITH d, simple;

-- pair: an operator class
-- outcome: refused
-- change:
CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);

-- pair: an extension and a column of its type
CREATE TABLE t (a text);
-- change:
CREATE EXTENSION citext;
ALTER TABLE t ALTER a TYPE citext;

-- pair: an extension and a default of it
CREATE TABLE t (a text, b int);
-- change:
CREATE SCHEMA x;
CREATE EXTENSION pg_trgm SCHEMA x;
CREATE INDEX i ON t USING gin (a x.gin_trgm_ops);
ALTER TABLE t ALTER b SET DEFAULT x.similarity('a', 'b')::int;

-- pair: an extension, a table, an index and a constraint of it
-- change:
CREATE EXTENSION btree_gist;
CREATE EXTENSION hstore;
CREATE TABLE t (a int, h hstore, r int4range, EXCLUDE USING gist (a WITH =, r WITH &&));
CREATE INDEX i ON t USING gin (h);

-- pair: an extension moves to another schema
CREATE EXTENSION citext;
CREATE TABLE t (a citext);
CREATE SCHEMA x;
-- change:
ALTER EXTENSION citext SET SCHEMA x;

-- pair: a function in the schema of an extension
-- change:
CREATE SCHEMA x;
CREATE EXTENSION hstore SCHEMA x;
CREATE FUNCTION x.f(x.hstore) RETURNS text LANGUAGE sql AS 'SELECT 1';

-- pair: a materialized view is redefined
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, count(*) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';
-- new:
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, sum(n) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';

-- pair: a materialized view over another is redefined
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, count(*) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';
CREATE MATERIALIZED VIEW o AS SELECT c FROM m;
CREATE INDEX oi ON o (c);
-- new:
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, sum(n) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';
CREATE MATERIALIZED VIEW o AS SELECT c FROM m;
CREATE INDEX oi ON o (c);

-- pair: a clustered materialized view is redefined
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, count(*) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';
CLUSTER m USING mi;
-- new:
CREATE TABLE t (id int, n int);
CREATE MATERIALIZED VIEW m AS SELECT id, sum(n) AS c FROM t GROUP BY id;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m ((id + 1));
ALTER MATERIALIZED VIEW m ALTER id SET STATISTICS 7, ALTER c SET STATISTICS 9;
GRANT SELECT ON m TO catalog_reader;
COMMENT ON MATERIALIZED VIEW m IS 'x';
COMMENT ON COLUMN m.id IS 'y';
COMMENT ON INDEX mi IS 'z';
CLUSTER m USING mi;

-- pair: a view with a key in GROUP BY
CREATE TABLE t (id int PRIMARY KEY, a text);
-- change:
CREATE VIEW v AS SELECT id, a FROM t GROUP BY id;

-- pair: the key that a view groups by
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE VIEW v AS SELECT id, a FROM t GROUP BY id;
-- new:
CREATE TABLE t (id int NOT NULL, a text);

-- pair: a column is removed from the middle of views
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE VIEW v AS SELECT id, a, b FROM t;
CREATE VIEW w AS SELECT b, id FROM v;
GRANT SELECT (b) ON w TO catalog_reader;
CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING;
-- change:
DROP VIEW v CASCADE;
CREATE VIEW v AS SELECT id, b FROM t;
CREATE VIEW w AS SELECT b, id FROM v;
GRANT SELECT (b) ON w TO catalog_reader;
CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING;

-- pair: a view with a trigger and a default changes
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE VIEW v AS SELECT id, a FROM t;
ALTER VIEW v ALTER a SET DEFAULT 'x';
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();
-- change:
DROP VIEW v;
CREATE VIEW v AS SELECT a, id FROM t;
ALTER VIEW v ALTER a SET DEFAULT 'x';
CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();

-- pair: options of views
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE VIEW v AS SELECT id FROM t WHERE b > 1;
-- change:
ALTER VIEW v SET (security_barrier = true, check_option = local);

-- pair: a recursive view
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
CREATE RECURSIVE VIEW v (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < 5;

-- pair: views that refer to each other through functions
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS SETOF v LANGUAGE sql BEGIN ATOMIC SELECT id FROM v; END;
CREATE VIEW w AS SELECT * FROM f();
CREATE FUNCTION g(w) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- pair: a table becomes a view
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
DROP TABLE t;
CREATE VIEW t AS SELECT 1 AS id;

-- pair: a view becomes a materialized view
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE VIEW v AS SELECT id FROM t;
GRANT SELECT ON v TO catalog_reader;
-- change:
DROP VIEW v;
CREATE MATERIALIZED VIEW v AS SELECT id FROM t;
CREATE INDEX ON v (id);
GRANT SELECT ON v TO catalog_reader;

-- pair: MINVALUE and START of a sequence
CREATE SEQUENCE q;
-- change:
ALTER SEQUENCE q MINVALUE 100 START 100 RESTART;

-- pair: MAXVALUE below the value of a sequence
CREATE SEQUENCE q START 500;
SELECT nextval('q');
-- change:
ALTER SEQUENCE q MAXVALUE 10 START 1 RESTART;

-- pair: ranges of a sequence that do not meet
CREATE SEQUENCE q MINVALUE 1 MAXVALUE 10;
-- change:
ALTER SEQUENCE q MINVALUE 100 MAXVALUE 1000 START 100 RESTART;

-- pair: a sequence counts down
CREATE SEQUENCE q;
-- change:
DROP SEQUENCE q;
CREATE SEQUENCE q INCREMENT -1 MINVALUE -100 MAXVALUE -1 START -1 CYCLE;

-- pair: the type of a sequence
CREATE SEQUENCE q;
-- change:
ALTER SEQUENCE q AS smallint;

-- pair: MINVALUE and START of an identity
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);
-- change:
ALTER TABLE t ALTER id SET MINVALUE 100 SET START 100 RESTART;

-- pair: an identity counts down
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);
-- new:
CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1 MINVALUE -100 MAXVALUE -1 START -1 CYCLE CACHE 5));

-- pair: a serial becomes an identity
CREATE TABLE t (id serial PRIMARY KEY);
-- new:
CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);

-- pair: the type of an identity column
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY);
-- change:
ALTER TABLE t ALTER id TYPE bigint;
ALTER SEQUENCE t_id_seq AS bigint;

-- pair: the type of a serial column
CREATE TABLE t (id serial);
-- change:
ALTER TABLE t ALTER id TYPE bigint;
ALTER SEQUENCE t_id_seq AS bigint;

-- pair: the owner of a sequence
CREATE TABLE t (id int);
CREATE SEQUENCE q;
-- change:
ALTER TABLE t ALTER id SET DEFAULT nextval('q');
ALTER SEQUENCE q OWNED BY t.id;

-- pair: NOT NULL NO INHERIT
-- since: 18
CREATE TABLE t (a int);
-- change:
ALTER TABLE t ADD CONSTRAINT n NOT NULL a NO INHERIT;

-- pair: NOT NULL becomes NO INHERIT
-- since: 18
CREATE TABLE t (a int NOT NULL);
-- change:
ALTER TABLE t ALTER CONSTRAINT t_a_not_null NO INHERIT;

-- pair: a table with NOT NULL NO INHERIT
-- since: 18
-- change:
CREATE TABLE t (a int CONSTRAINT n NOT NULL NO INHERIT, b int);

-- pair: NOT NULL NOT VALID
-- since: 18
CREATE TABLE t (a int);
-- change:
ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID;

-- pair: NOT NULL that was validated
-- since: 18
CREATE TABLE t (a int);
ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID;
-- change:
ALTER TABLE t VALIDATE CONSTRAINT n;

-- pair: a foreign key with PERIOD
-- since: 18
CREATE EXTENSION btree_gist;
CREATE TABLE a (id int, at daterange);
CREATE TABLE b (id int, at daterange);
-- change:
ALTER TABLE a ADD PRIMARY KEY (id, at WITHOUT OVERLAPS);
ALTER TABLE b ADD FOREIGN KEY (id, PERIOD at) REFERENCES a (id, PERIOD at);

-- pair: tables that refer to each other with PERIOD
-- since: 18
-- change:
CREATE EXTENSION btree_gist;
CREATE TABLE z (id int, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS));
CREATE TABLE a (id int, at daterange, FOREIGN KEY (id, PERIOD at) REFERENCES z);

-- pair: foreign keys in a circle
CREATE TABLE a (id int PRIMARY KEY, b int);
-- change:
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;

-- pair: a foreign key to a unique index with INCLUDE
CREATE TABLE a (x int, y int);
CREATE TABLE b (x int);
-- change:
CREATE UNIQUE INDEX i ON a (x) INCLUDE (y);
ALTER TABLE b ADD FOREIGN KEY (x) REFERENCES a (x) ON DELETE SET NULL DEFERRABLE;

-- pair: a foreign key that is not enforced
-- since: 18
CREATE TABLE a (x int PRIMARY KEY);
CREATE TABLE b (x int REFERENCES a);
-- change:
ALTER TABLE b ALTER CONSTRAINT b_x_fkey NOT ENFORCED;

-- pair: an exclusion constraint
CREATE TABLE t (r int4range, a int);
-- change:
ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&) WHERE (a > 1);

-- pair: UNIQUE with NULLS NOT DISTINCT
-- since: 15
CREATE TABLE t (a int UNIQUE);
-- change:
ALTER TABLE t DROP CONSTRAINT t_a_key, ADD UNIQUE NULLS NOT DISTINCT (a);

-- pair: a constraint that uses an index
CREATE TABLE t (a int);
CREATE UNIQUE INDEX i ON t (a);
-- change:
ALTER TABLE t ADD CONSTRAINT i UNIQUE USING INDEX i;

-- pair: a constraint with a storage parameter
CREATE TABLE t (a int);
-- change:
ALTER TABLE t ADD UNIQUE (a) WITH (fillfactor = 50);

-- pair: a key with another name
CREATE TABLE t (a int PRIMARY KEY);
CREATE TABLE u (a int REFERENCES t);
-- change:
ALTER TABLE t RENAME CONSTRAINT t_pkey TO pk;
ALTER TABLE u RENAME CONSTRAINT u_a_fkey TO fk;

-- pair: a check that calls a function
CREATE TABLE t (a int);
-- change:
CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN $1 > 0;
ALTER TABLE t ADD CHECK (f(a));

-- pair: the type of a column in a check and an index
CREATE TABLE t (a varchar(5) CHECK (a <> 'x'), b int);
CREATE INDEX i ON t (lower(a));
CREATE STATISTICS s ON a, b FROM t;
-- change:
ALTER TABLE t ALTER a TYPE text;

-- pair: the type of a column in a check without the same operators
CREATE TABLE t (a text CHECK (a <> ''), b int);
CREATE INDEX i ON t ((a || 'x'));
-- new:
CREATE TABLE t (a int CHECK (a <> 0), b int);
CREATE INDEX i ON t ((a + 1));

-- pair: a generated column with another expression and dependents
-- since: 17
CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) STORED UNIQUE, CHECK (g > 0));
CREATE VIEW v AS SELECT g FROM t;
COMMENT ON COLUMN t.g IS 'g';
-- change:
DROP VIEW v;
ALTER TABLE t ALTER g SET EXPRESSION AS (a + 2);
CREATE VIEW v AS SELECT g FROM t;

-- pair: a generated column with another expression on each version
CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) STORED UNIQUE, CHECK (g > 0));
CREATE VIEW v AS SELECT g FROM t;
COMMENT ON COLUMN t.g IS 'g';
-- new:
CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 2) STORED UNIQUE, CHECK (g > 0));
CREATE VIEW v AS SELECT g FROM t;
COMMENT ON COLUMN t.g IS 'g';

-- pair: a virtual generated column
-- since: 18
CREATE TABLE t (a int);
-- change:
ALTER TABLE t ADD g int GENERATED ALWAYS AS (a + 1) VIRTUAL;

-- pair: a generated column becomes a plain one
CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) STORED);
-- change:
ALTER TABLE t ALTER g DROP EXPRESSION;

-- pair: the type of the source of a generated column
CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) STORED);
CREATE INDEX i ON t (g);
-- new:
CREATE TABLE t (a bigint, g bigint GENERATED ALWAYS AS (a + 1) STORED);
CREATE INDEX i ON t (g);

-- pair: storage, compression and options of a column
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER a SET COMPRESSION pglz, ALTER b SET (n_distinct = 5), ALTER b SET STATISTICS 7;

-- pair: objects with the default privileges
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
-- change:
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;

-- pair: objects without the default privileges
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
-- change:
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;
REVOKE ALL ON t, v, t_id_seq FROM catalog_reader;
GRANT EXECUTE ON FUNCTION f TO PUBLIC;
REVOKE EXECUTE ON FUNCTION f FROM catalog_reader;
GRANT USAGE ON TYPE e TO PUBLIC;
GRANT USAGE ON DOMAIN d TO PUBLIC;

-- pair: objects with other privileges than the default ones
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
-- change:
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;
GRANT ALL ON t TO catalog_reader;
REVOKE SELECT ON t FROM catalog_reader;
GRANT SELECT ON v TO catalog_reader WITH GRANT OPTION;
GRANT SELECT ON v TO catalog_other;

-- pair: default privileges and an older object
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;
-- change:
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

-- pair: default privileges in a schema
CREATE SCHEMA s;
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT ALL ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC;
-- change:
CREATE TABLE s.t ();
CREATE TABLE u ();
CREATE TABLE s.w ();
REVOKE ALL ON s.t FROM catalog_reader;
REVOKE ALL ON s.t FROM PUBLIC;

-- pair: default privileges on schemas
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO catalog_reader;
-- change:
CREATE SCHEMA a;
CREATE SCHEMA b;
REVOKE USAGE ON SCHEMA b FROM catalog_reader;

-- pair: a view is redefined beside default privileges
CREATE VIEW v AS SELECT 1 AS a;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO catalog_reader;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
-- change:
DROP VIEW v;
CREATE VIEW v AS SELECT 1 AS a, 2 AS b;
REVOKE ALL ON v FROM catalog_reader;

-- pair: default privileges with grant option
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO catalog_reader WITH GRANT OPTION;
-- change:
CREATE TABLE t ();
REVOKE GRANT OPTION FOR SELECT ON t FROM catalog_reader;

-- pair: default privileges of the owner
ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM postgres;
-- change:
CREATE TABLE t ();
CREATE TABLE u ();
GRANT DELETE ON u TO postgres;

-- pair: privileges of columns and with grant option
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
GRANT SELECT (a), UPDATE (b) ON t TO catalog_reader WITH GRANT OPTION;
GRANT INSERT ON t TO catalog_other;

-- pair: privileges of PUBLIC on functions and types
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;
-- change:
REVOKE EXECUTE ON FUNCTION f FROM PUBLIC;
REVOKE USAGE ON TYPE e FROM PUBLIC;
REVOKE ALL ON DOMAIN d FROM PUBLIC;
GRANT EXECUTE ON FUNCTION f TO catalog_reader;

-- pair: a changed function keeps its privileges
CREATE TABLE t (id serial);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('a');
CREATE DOMAIN d AS int;
GRANT EXECUTE ON FUNCTION f TO catalog_reader;
REVOKE ALL ON FUNCTION f FROM PUBLIC;
-- change:
DROP FUNCTION f;
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT 1';
GRANT EXECUTE ON FUNCTION f TO catalog_reader;
REVOKE ALL ON FUNCTION f FROM PUBLIC;

-- pair: a grant option that is taken away
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION;
-- change:
REVOKE GRANT OPTION FOR SELECT ON t FROM catalog_reader;

-- pair: the name of an argument
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE VIEW v AS SELECT f(1);
COMMENT ON FUNCTION f IS 'x';
-- change:
DROP FUNCTION f CASCADE;
CREATE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE VIEW v AS SELECT f(1);
COMMENT ON FUNCTION f IS 'x';

-- pair: a default of an argument is removed
CREATE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT $1';
-- change:
DROP FUNCTION f;
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1';

-- pair: columns of a result
CREATE FUNCTION f(OUT a int, OUT b int) LANGUAGE sql AS 'SELECT 1, 2';
-- change:
DROP FUNCTION f;
CREATE FUNCTION f() RETURNS TABLE (a int, c text) LANGUAGE sql AS $$ SELECT 1, '2' $$;

-- pair: a function and a procedure exchange names
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p(int) LANGUAGE sql AS '';
-- change:
DROP FUNCTION f;
DROP PROCEDURE p;
CREATE FUNCTION p(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE f(int) LANGUAGE sql AS '';

-- pair: BEGIN ATOMIC over a table that changes
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(b) FROM t; END;
-- change:
DROP FUNCTION f;
ALTER TABLE t ALTER b TYPE bigint;
CREATE FUNCTION f() RETURNS numeric LANGUAGE sql BEGIN ATOMIC SELECT sum(b) FROM t; END;

-- pair: a function of a row and a table with a check of it
-- change:
CREATE TABLE t (a int);
CREATE FUNCTION f(t) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER TABLE t ADD CHECK (f(t));

-- pair: a trigger function changes its body
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
-- change:
CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
ALTER TABLE t DISABLE TRIGGER g;
CREATE CONSTRAINT TRIGGER h AFTER UPDATE ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION f();

-- pair: an event trigger
CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
-- change:
CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('CREATE SEQUENCE') EXECUTE FUNCTION f();
ALTER EVENT TRIGGER e DISABLE;
COMMENT ON EVENT TRIGGER e IS 'x';

-- pair: rules and policies
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
ALTER TABLE t DISABLE RULE r;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE TO catalog_reader USING (b > 1) WITH CHECK (b > 2);
COMMENT ON POLICY p ON t IS 'p';
COMMENT ON RULE r ON t IS 'r';

-- pair: statistics
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
CREATE STATISTICS s (ndistinct, dependencies) ON a, b FROM t;
ALTER STATISTICS s SET STATISTICS 9;
CREATE STATISTICS e ON (b + 1) FROM t;
COMMENT ON STATISTICS s IS 's';

-- pair: publications
-- since: 15
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
-- change:
CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 1) WITH (publish = 'insert');
CREATE PUBLICATION q FOR ALL TABLES;
CREATE PUBLICATION r FOR TABLES IN SCHEMA public;
COMMENT ON PUBLICATION p IS 'p';

-- pair: a published column that changes its type
-- since: 15
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE PUBLICATION p FOR TABLE t WHERE (id > 1);
-- change:
ALTER PUBLICATION p DROP TABLE t;
ALTER TABLE t ALTER id TYPE bigint;
ALTER PUBLICATION p ADD TABLE t WHERE (id > 1);

-- pair: foreign data
-- change:
CREATE EXTENSION postgres_fdw;
CREATE SERVER s TYPE 'x' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', dbname 'd');
CREATE FOREIGN TABLE f (id int OPTIONS (column_name 'x') NOT NULL, b text DEFAULT 'y') SERVER s OPTIONS (table_name 't');
GRANT USAGE ON FOREIGN SERVER s TO catalog_reader;
COMMENT ON FOREIGN TABLE f IS 'f';
CREATE VIEW v AS SELECT id FROM f;

-- pair: columns of a foreign table
CREATE EXTENSION postgres_fdw;
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE f (id int, c int) SERVER s;
-- change:
ALTER FOREIGN TABLE f ADD b text, ALTER id TYPE bigint, DROP c, ALTER id SET NOT NULL, ADD CHECK (id > 1);

-- pair: comments on everything
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE INDEX i ON t (a);
CREATE SEQUENCE q;
CREATE DOMAIN d AS int CONSTRAINT dc CHECK (VALUE > 0);
-- change:
COMMENT ON TABLE t IS 'it''s';
COMMENT ON COLUMN t.a IS 'a';
COMMENT ON INDEX i IS 'i';
COMMENT ON CONSTRAINT t_pkey ON t IS 'k';
COMMENT ON SEQUENCE q IS 'q';
COMMENT ON TYPE mood IS 'm';
COMMENT ON DOMAIN d IS 'd';
COMMENT ON CONSTRAINT dc ON DOMAIN d IS 'dc';
COMMENT ON SCHEMA public IS 'mine';
CREATE SCHEMA s;
COMMENT ON SCHEMA s IS 's';

-- pair: a user mapping
-- outcome: refused
CREATE EXTENSION postgres_fdw;
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
-- change:
CREATE USER MAPPING FOR catalog_reader SERVER s OPTIONS (user 'x', password 'y');

-- pair: an option of a server that may be a secret
-- outcome: refused
CREATE EXTENSION postgres_fdw;
-- change:
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (passfile 'x');

-- pair: a function that the default and a check of a domain in use call
CREATE FUNCTION least_size(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n';
CREATE FUNCTION is_size(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 0';
CREATE DOMAIN size AS int DEFAULT least_size(1) CONSTRAINT positive CHECK (is_size(VALUE)) CONSTRAINT small CHECK (VALUE < 100);
COMMENT ON CONSTRAINT positive ON DOMAIN size IS 'positive';
CREATE TABLE t (a size, b size[]);
-- new:
CREATE FUNCTION least_size(size int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT size::bigint';
CREATE FUNCTION is_size(size int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT size > 0';
CREATE DOMAIN size AS int DEFAULT least_size(1) CONSTRAINT positive CHECK (is_size(VALUE)) CONSTRAINT small CHECK (VALUE < 100);
COMMENT ON CONSTRAINT positive ON DOMAIN size IS 'positive';
CREATE TABLE t (a size, b size[]);

-- pair: a domain with a check that is not validated
-- new:
CREATE DOMAIN size AS int DEFAULT 3 CONSTRAINT positive CHECK (VALUE > 0);
ALTER DOMAIN size ADD CONSTRAINT small CHECK (VALUE < 100) NOT VALID;
COMMENT ON CONSTRAINT small ON DOMAIN size IS 'small';

-- pair: a check of a domain that is validated
CREATE DOMAIN size AS int;
ALTER DOMAIN size ADD CONSTRAINT small CHECK (VALUE < 100) NOT VALID;
COMMENT ON CONSTRAINT small ON DOMAIN size IS 'small';
CREATE TABLE t (a size);
-- change:
ALTER DOMAIN size VALIDATE CONSTRAINT small;

-- pair: a domain whose check takes the domain
-- new:
CREATE DOMAIN size AS int;
CREATE FUNCTION is_size(n size) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 0';
ALTER DOMAIN size ADD CONSTRAINT positive CHECK (is_size(VALUE));
CREATE TABLE t (a size);

-- pair: checks of domains in arrays and rows
CREATE DOMAIN size AS int CONSTRAINT positive CHECK (VALUE > 0);
CREATE DOMAIN word AS text;
CREATE TABLE t (a size, b size[], c word[]);
-- new:
CREATE DOMAIN size AS int CONSTRAINT positive CHECK (VALUE > 1);
CREATE DOMAIN word AS text NOT NULL;
CREATE TABLE t (a size, b size[], c word[]);

-- pair: attributes of a row type that columns have
CREATE TYPE place AS (x int, y int);
CREATE TYPE route AS (start place);
CREATE TABLE t (a place, b place[], c route);
-- change:
ALTER TYPE place ADD ATTRIBUTE z text;

-- pair: types of attributes of a row type that columns have
CREATE TYPE place AS (x int, y int);
CREATE TYPE route AS (start place);
CREATE TABLE t (a place, b place[], c route);
CREATE VIEW v AS SELECT (a).x FROM t;
CREATE FUNCTION f(p place) RETURNS int LANGUAGE sql AS 'SELECT 1';
-- new:
CREATE TYPE place AS (x bigint, y numeric(8,2));
CREATE TYPE route AS (start place);
CREATE TABLE t (a place, b place[], c route);
CREATE VIEW v AS SELECT (a).x FROM t;
CREATE FUNCTION f(p place) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- pair: a range type whose multirange type a column has
CREATE TYPE span AS RANGE (SUBTYPE = float8);
CREATE TABLE t (a span, b span_multirange);
-- new:
CREATE FUNCTION distance(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT a - b';
CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = distance, MULTIRANGE_TYPE_NAME = spans);
CREATE TABLE t (a span, b spans);

-- pair: a comment on the schema public
-- change:
COMMENT ON SCHEMA public IS 'of the application';

-- pair: settings of an index in another order
CREATE TABLE t (a text);
CREATE INDEX i ON t (a) WITH (fillfactor = 70, deduplicate_items = on);
CREATE INDEX j ON t (a) WITH (fillfactor = 70);
CREATE INDEX k ON t (a) WITH (deduplicate_items = on, fillfactor = 70);
-- new:
CREATE TABLE t (a text);
CREATE INDEX i ON t (a) WITH (deduplicate_items = on, fillfactor = 70);
CREATE INDEX j ON t (a) WITH (fillfactor = 80, deduplicate_items = off);
CREATE INDEX k ON t (a) WITH (fillfactor = 80);

-- pair: a new table of a composite type
CREATE TYPE c AS (a integer, b text, d date);
-- change:
CREATE TABLE t OF c (a PRIMARY KEY, b WITH OPTIONS NOT NULL DEFAULT 'x', CHECK (b <> ''));
CREATE TABLE u OF c;
CREATE INDEX i ON u (d);

-- pair: tables that become of a composite type, and of none
CREATE TYPE c AS (a integer, b text);
CREATE TABLE t (a integer NOT NULL, b text DEFAULT 'x');
CREATE TABLE u OF c;
-- change:
ALTER TABLE t OF c;
ALTER TABLE u NOT OF;

-- pair: an identity with a sequence of another name, and other options
CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY, b integer);
-- new:
CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME x START WITH 7 INCREMENT BY 3 MINVALUE 5), b integer);

-- pair: an identity with a sequence of its own name whose options change
CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME x MINVALUE 5), b integer NOT NULL);
-- new:
CREATE TABLE t (
    a bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME x START WITH 100 MAXVALUE 1000),
    b integer GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "Y")
);

-- pair: a row type whose attributes change, come, go and move, while columns have it
CREATE TYPE place AS (x int, y int, n text);
CREATE TABLE t (a place, b int);
CREATE VIEW v AS SELECT (a).x FROM t;
-- new:
CREATE TYPE place AS (z date, x bigint, n text);
CREATE TABLE t (a place, b int);
CREATE VIEW v AS SELECT (a).x FROM t;

-- pair: a conversion
-- change:
CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION c IS 'a conversion';

-- pair: a language and a function in it
CREATE LANGUAGE l HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
-- new:
CREATE TRUSTED LANGUAGE l HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
CREATE FUNCTION f() RETURNS int LANGUAGE l AS 'BEGIN RETURN 1; END';
REVOKE USAGE ON LANGUAGE l FROM PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;

-- pair: an access method and a table that gets it
-- recreate: yes
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
-- new:
CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE t (id int PRIMARY KEY) USING m;

-- pair: options of a wrapper and a server that others use
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'x', "Odd name" 'a, b');
CREATE USER MAPPING FOR PUBLIC SERVER s;
CREATE FOREIGN TABLE f (id int) SERVER s;
-- change:
ALTER FOREIGN DATA WRAPPER w OPTIONS (a 'b');
ALTER SERVER s OPTIONS (SET host 'y', DROP "Odd name", ADD port '1');
GRANT USAGE ON FOREIGN DATA WRAPPER w TO PUBLIC;
GRANT USAGE ON FOREIGN SERVER s TO PUBLIC;

-- pair: a new wrapper and a server
-- change:
CREATE FOREIGN DATA WRAPPER w OPTIONS (a 'b');
CREATE SERVER s FOREIGN DATA WRAPPER w;

-- pair: tables that refer to each other become unlogged
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE a (id int PRIMARY KEY REFERENCES t);
CREATE TABLE z (id int REFERENCES a REFERENCES t);
-- change:
ALTER TABLE z SET UNLOGGED;
ALTER TABLE a SET UNLOGGED;
ALTER TABLE t SET UNLOGGED;

-- pair: the enum of a partition key loses a label, and the rows are copied
-- recreate: yes
CREATE TYPE e AS ENUM ('a', 'b', 'c');
CREATE TABLE p (k e, n int, PRIMARY KEY (k, n)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('a') TO ('b') PARTITION BY LIST (n);
CREATE TABLE p2 PARTITION OF p DEFAULT;
CREATE TABLE p11 PARTITION OF p1 DEFAULT;
CREATE TABLE r (k e, n int, FOREIGN KEY (k, n) REFERENCES p);
INSERT INTO p VALUES ('a', 1), ('b', 2);
INSERT INTO r VALUES ('a', 1);
-- new:
CREATE TYPE e AS ENUM ('b', 'a');
CREATE TABLE p (k e, n int, PRIMARY KEY (k, n)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('b') TO ('a') PARTITION BY LIST (n);
CREATE TABLE p2 PARTITION OF p DEFAULT;
CREATE TABLE p11 PARTITION OF p1 DEFAULT;
CREATE TABLE r (k e, n int, FOREIGN KEY (k, n) REFERENCES p);

-- pair: a key of a partitioned table gets another type, with what depends on it
-- recreate: yes
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY, at date NOT NULL, g int GENERATED ALWAYS AS (id * 2) STORED, UNIQUE (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
CREATE VIEW v AS SELECT at FROM p;
CREATE STATISTICS s ON id, at FROM p1;
ALTER TABLE p1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY l ON p USING (id > 1);
INSERT INTO p (at) VALUES ('2020-05-05');
-- new:
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY, at timestamp NOT NULL, g int GENERATED ALWAYS AS (id * 2) STORED, UNIQUE (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
CREATE VIEW v AS SELECT at FROM p;
CREATE STATISTICS s ON id, at FROM p1;
ALTER TABLE p1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY l ON p USING (id > 1);

-- pair: columns and a check become only inherited
-- recreate: yes
CREATE TABLE a (id int, x text, CONSTRAINT c CHECK (id > 0));
CREATE TABLE b (id int, x text DEFAULT 'x', y int, CONSTRAINT c CHECK (id > 0));
INSERT INTO b VALUES (1, 'a', 2);
-- new:
CREATE TABLE a (id int, x text, CONSTRAINT c CHECK (id > 0));
CREATE TABLE b (y int) INHERITS (a);
ALTER TABLE b ALTER x SET DEFAULT 'x';

-- pair: a domain becomes a row type, and its column gets another type
CREATE DOMAIN d AS int;
CREATE TABLE t (a d);
INSERT INTO t VALUES (1);
-- new:
CREATE TYPE d AS (i int);
CREATE TABLE t (a int);

-- pair: the type of a typed table changes
CREATE TYPE p AS (x int, y int, z int);
CREATE TABLE t OF p (PRIMARY KEY (x), y DEFAULT 2);
CREATE TABLE other (c p[]);
CREATE VIEW v AS SELECT x FROM t;
INSERT INTO t VALUES (1, 2, 3);
-- new:
CREATE TYPE p AS (x int, y int);
CREATE TABLE t OF p (PRIMARY KEY (x), y DEFAULT 3);
CREATE TABLE other (c p[]);
CREATE VIEW v AS SELECT x FROM t;

-- pair: an attribute of a typed table gets another type
CREATE TYPE p AS (x int, y int);
CREATE TABLE t OF p (PRIMARY KEY (x));
CREATE TABLE q OF p PARTITION BY LIST (y);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
CREATE VIEW v AS SELECT x FROM t;
INSERT INTO t VALUES (1, 2);
-- new:
CREATE TYPE p AS (x bigint, y int);
CREATE TABLE t OF p (PRIMARY KEY (x));
CREATE TABLE q OF p PARTITION BY LIST (y);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
CREATE VIEW v AS SELECT x FROM t;

-- pair: a table that becomes plain while its type changes
CREATE TYPE p AS (x int);
CREATE TABLE t OF p;
-- new:
CREATE TYPE p AS (x int, y int);
CREATE TABLE t (x int);

-- pair: the attributes of a typed table get another order
-- outcome: refused
CREATE TYPE p AS (x int, y int);
CREATE TABLE t OF p;
-- new:
CREATE TYPE p AS (y int, x int);
CREATE TABLE t OF p;

-- pair: a table becomes partitioned, and another one its partition
-- recreate: yes
CREATE TABLE e (id int PRIMARY KEY, v text);
CREATE TABLE f (id bigint PRIMARY KEY, v text);
CREATE INDEX i ON f (v);
CREATE TABLE r (id int REFERENCES e);
CREATE VIEW w AS SELECT id FROM f;
COMMENT ON TABLE f IS 'the first';
INSERT INTO e VALUES (1, 'a');
INSERT INTO f VALUES (1001, 'b');
INSERT INTO r VALUES (1);
-- new:
CREATE TABLE e (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE INDEX j ON e (v);
CREATE TABLE f PARTITION OF e FOR VALUES FROM (1001) TO (2000);
CREATE TABLE g PARTITION OF e DEFAULT;
CREATE TABLE r (id bigint REFERENCES e);
CREATE VIEW w AS SELECT id FROM f;
COMMENT ON TABLE f IS 'the first';

-- pair: a key gets another type, while one partition joins and another one leaves
-- recreate: yes
CREATE TABLE e (id int NOT NULL, v text) PARTITION BY RANGE (id);
CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (1) TO (10);
CREATE TABLE e2 (id bigint NOT NULL, v text);
CREATE TABLE e3 PARTITION OF e FOR VALUES FROM (10) TO (20);
INSERT INTO e VALUES (1, 'a'), (10, 'b');
INSERT INTO e2 VALUES (20, 'c');
-- new:
CREATE TABLE e (id bigint NOT NULL, v text) PARTITION BY RANGE (id);
CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (1) TO (10);
CREATE TABLE e2 PARTITION OF e FOR VALUES FROM (20) TO (30);
CREATE TABLE e3 (id int NOT NULL, v text);

-- pair: comments on NOT NULL that gets, changes or loses its name
-- since: 18
CREATE TABLE t (a int NOT NULL, b int CONSTRAINT bn NOT NULL, c int, d int CONSTRAINT dn NOT NULL, e int CONSTRAINT en NOT NULL);
COMMENT ON CONSTRAINT bn ON t IS 'b';
COMMENT ON CONSTRAINT dn ON t IS 'd';
COMMENT ON CONSTRAINT en ON t IS 'e';
CREATE DOMAIN f AS int;
-- new:
CREATE TABLE t (a int CONSTRAINT an NOT NULL, b int CONSTRAINT cn NOT NULL, c int CONSTRAINT xn NOT NULL, d int, e int NOT NULL);
COMMENT ON CONSTRAINT an ON t IS 'a';
COMMENT ON CONSTRAINT cn ON t IS 'b';
COMMENT ON CONSTRAINT xn ON t IS 'c';
CREATE DOMAIN f AS int CONSTRAINT fn NOT NULL;
COMMENT ON CONSTRAINT fn ON DOMAIN f IS 'f';

-- pair: an aggregate with an operator that sorts
CREATE FUNCTION larger(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT greatest($1, $2)';
CREATE OPERATOR >> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4gt);
CREATE AGGREGATE biggest(int) (SFUNC = larger, STYPE = int, SORTOP = >);
-- new:
CREATE FUNCTION larger(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT greatest($1, $2)';
CREATE OPERATOR >>> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4gt);
CREATE AGGREGATE biggest(int) (SFUNC = larger, STYPE = int, SORTOP = OPERATOR(public.>>>));
