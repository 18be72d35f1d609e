-- case: an index on an existing table
-- file: create_t_a_idx
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX t_a_idx ON t (a);
-- has: CREATE INDEX CONCURRENTLY t_a_idx
-- down: DROP INDEX CONCURRENTLY public.t_a_idx
-- case: an index that goes and two that come share a file
-- file: drop_old_idx
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX old_idx ON t (a);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX x ON t (a DESC);
CREATE INDEX y ON t (a) WHERE a > 0;
-- has: DROP INDEX CONCURRENTLY public.old_idx
-- case: an index that replaces one of its name is built before that goes
-- file: create_i
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX i ON t (a);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX i ON t (a, b);
-- has: CREATE INDEX CONCURRENTLY i_new
-- has: ALTER INDEX public.i_new RENAME TO i
-- case: a unique constraint that replaces one of its name is built before that goes
-- file: add_c
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT c UNIQUE (a));
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT c UNIQUE (a, b));
-- has: CREATE UNIQUE INDEX CONCURRENTLY c_new
-- has: USING INDEX c_new
-- case: checks of two tables are validated after both are added
-- file: add_tc
-- file: add_uc
-- file: validate_tc
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE TABLE u (id int PRIMARY KEY, a int);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT tc CHECK (a >= 0));
CREATE TABLE u (id int PRIMARY KEY, a int, CONSTRAINT uc CHECK (a >= 0));
-- has: VALIDATE CONSTRAINT uc
-- case: a check with the same name replaces the old one in one transaction
-- file: add
-- file: validate
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT c CHECK (a >= 0));
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT c CHECK (a >= -5));
-- has: DROP CONSTRAINT c;
-- case: a foreign key without an index gets none that the wanted schema does not have
-- file: add
-- file: validate
-- risk: foreign-key-without-index
-- old:
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int);
-- new:
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int CONSTRAINT f REFERENCES p);
-- has: NOT VALID
-- case: indexes and keys of new tables stay plain, beside their tables
-- file:
-- old:
CREATE TABLE p (id int PRIMARY KEY);
-- new:
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE a (id int PRIMARY KEY, p int REFERENCES p);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
CREATE INDEX a_p ON a (p);
CREATE INDEX b_a ON b (a);
COMMENT ON TABLE a IS 'new';
-- has: CREATE INDEX a_p
-- case: new columns of two tables share a file, in which each statement is a transaction
-- file: change
-- old:
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE u (id int PRIMARY KEY);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, b int DEFAULT 3);
CREATE TABLE u (id int PRIMARY KEY, a int);
COMMENT ON COLUMN t.b IS 'b';
COMMENT ON COLUMN u.a IS 'a';
-- has: -- migrate: no-transaction
-- down: -- migrate: no-transaction
-- case: a type that rewrites the table is changed beside it, and keeps its comment
-- file: add
-- file: fill
-- file: exchange
-- after deploy: 1
-- has: CREATE INDEX CONCURRENTLY ta_new
-- has: COMMENT ON COLUMN public.t.a
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 3);
CREATE INDEX ta ON t (a);
COMMENT ON COLUMN t.a IS 'a';
-- new:
CREATE TABLE t (id int PRIMARY KEY, a bigint DEFAULT 3);
CREATE INDEX ta ON t (a);
COMMENT ON COLUMN t.a IS 'a';
-- case: a type that only the catalog knows needs no other form
-- file:
-- old:
CREATE TABLE t (id int PRIMARY KEY, a varchar(50), b numeric(8, 2), c varchar(20));
CREATE INDEX ta ON t (a);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a varchar(100), b numeric(10, 2), c text);
CREATE INDEX ta ON t (a);
-- case: a view around a change of a type is dropped and created in one transaction
-- file: create_tb
-- file: create_v
-- risk: changing-column-type
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE VIEW v AS SELECT a FROM t;
COMMENT ON VIEW v IS 'v';
-- new:
CREATE TABLE t (id int PRIMARY KEY, a bigint, b int);
CREATE VIEW v AS SELECT a FROM t;
COMMENT ON VIEW v IS 'v';
CREATE INDEX tb ON t (b);
-- case: a column with a value for each row is filled in batches
-- file: add
-- file: fill
-- file: add
-- file: validate
-- file: require
-- old:
CREATE TABLE t (id int PRIMARY KEY);
-- new:
CREATE TABLE t (id int PRIMARY KEY, token uuid NOT NULL DEFAULT gen_random_uuid());
-- case: drops run after the deployment, behind what it needs
-- file: change_t
-- file: drop
-- after deploy: 1
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE TABLE u (id int PRIMARY KEY);
CREATE VIEW v AS SELECT id FROM u;
-- new:
CREATE TABLE t (id int PRIMARY KEY, b int);
-- drops: t.a
-- case: a rename runs after the deployment, and what needs the new name behind it
-- file: change_o
-- file: rename_z
-- file: create_tz
-- after deploy: 2
-- rename: t.a=z
-- old:
CREATE TABLE o (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
-- new:
CREATE TABLE o (id int PRIMARY KEY, z int);
CREATE TABLE t (id int PRIMARY KEY, z int, b int);
CREATE INDEX tz ON t (z);
-- case: a column that is exchanged keeps its default until then
-- file: add
-- file: fill
-- file: exchange
-- file: drop_mood
-- after deploy: 2
-- old:
CREATE TYPE mood AS ENUM ('a');
CREATE TABLE t (id int PRIMARY KEY, a mood DEFAULT 'a');
-- new:
CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'a');
-- case: a label is added in a file of its own
-- file: add_label
-- file: create
-- old:
CREATE TYPE e AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, a e);
-- new:
CREATE TYPE e AS ENUM ('a', 'b', 'c');
CREATE TABLE t (id int PRIMARY KEY, a e DEFAULT 'c');
CREATE TABLE u (a e DEFAULT 'c');
-- case: an index of a partitioned table is built on each partition
-- file: create
-- old:
CREATE TABLE m (id int, d date NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- new:
CREATE TABLE m (id int, d date NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX mi ON m (id);
-- has: ATTACH PARTITION
-- case: a partition is detached without a lock on the others
-- file: detach
-- old:
CREATE TABLE m (id int, d date NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- new:
CREATE TABLE m (id int, d date NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE m1 (id int, d date NOT NULL);
-- has: CONCURRENTLY
-- case: a constraint of a domain is validated later
-- file: add
-- file: validate
-- old:
CREATE DOMAIN d AS int;
CREATE TABLE t (id int PRIMARY KEY, a d);
-- new:
CREATE DOMAIN d AS int CONSTRAINT pos CHECK (VALUE > 0);
CREATE TABLE t (id int PRIMARY KEY, a d);
-- has: NOT VALID
-- case: what has no safe form stays, with the risk
-- file:
-- risk: adding-field-with-default
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
-- new:
CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);
-- has: -- lint: ignore adding-field-with-default --
-- case: a policy is never missing while a column gets another name and type
-- file: rename_z
-- file: create_p
-- risk: changing-column-type
-- after deploy: 2
-- rename: t.a=z
-- has: ALTER TABLE public.t ALTER COLUMN z TYPE bigint;
-- old:
CREATE TABLE t (id int PRIMARY KEY, a int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON t USING (true);
CREATE POLICY p ON t AS RESTRICTIVE USING (a > 1);
-- new:
CREATE TABLE t (id int PRIMARY KEY, z bigint);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON t USING (true);
CREATE POLICY p ON t AS RESTRICTIVE USING (z > 1);
-- case: a foreign key and a check stay around the change of a type, and the files are few
-- file: add_x_new
-- file: add_tx_new
-- file: fill
-- file: exchange
-- after deploy: 1
-- old:
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, x int NOT NULL DEFAULT 3 CONSTRAINT tx REFERENCES r CHECK (x > 0));
CREATE INDEX ON t (x);
-- new:
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, x bigint NOT NULL DEFAULT 3 CONSTRAINT tx REFERENCES r CHECK (x > 0));
CREATE INDEX ON t (x);
-- has: VALIDATE CONSTRAINT tx_new
-- case: an enum without a label takes the name of the old one after the columns, which keep their default
-- file: create_mood_new
-- file: add_m_new
-- file: fill_m_new
-- file: exchange_m
-- file: drop_mood
-- after deploy: 2
-- old:
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, m mood NOT NULL DEFAULT 'ok');
-- new:
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, m mood NOT NULL DEFAULT 'ok');
-- has: SET DEFAULT 'ok'::public.mood_new
-- down: UPDATE public.t SET m = m_new::text::public.mood
-- case: an index that needs the new type of a column comes after that, and the other changes before both
-- file: change_u
-- file: add_doc_new
-- file: fill_doc_new
-- file: exchange_doc
-- file: create_t_doc
-- after deploy: 2
-- old:
CREATE TABLE t (id int PRIMARY KEY, doc json);
CREATE TABLE u (id int PRIMARY KEY, a int DEFAULT 1);
-- new:
CREATE TABLE t (id int PRIMARY KEY, doc jsonb);
CREATE INDEX t_doc ON t USING gin (doc);
CREATE TABLE u (id int PRIMARY KEY, a int DEFAULT 2);
-- has: CREATE INDEX CONCURRENTLY t_doc
