"""What a role without privileges can leave for the role that runs migrations: SQL that it runs, and what the refusal names."""

LEDGER = """schema_migrations (version varchar(255) PRIMARY KEY, applied_at timestamp DEFAULT CURRENT_TIMESTAMP,
 applied_by varchar(255), checksum varchar(64), execution_time_ms integer)"""
META = "schema_migrations_meta (key varchar(40) PRIMARY KEY, value text NOT NULL)"
CODE = """
CREATE FUNCTION {schema}.run() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  IF current_user <> {low} THEN RAISE 'planted code ran as %', current_user; END IF; RETURN 'x'; END $$;
CREATE FUNCTION {schema}.run(anyelement) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN {schema}.run(); END $$;
CREATE FUNCTION {schema}.is_run() RETURNS boolean LANGUAGE sql AS $$ SELECT {schema}.run() = 'x' $$;
CREATE FUNCTION {schema}.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM {schema}.run(); RETURN NEW; END $$;
"""
"""Functions that raise an error if another role than that which created them runs them."""

PLANTED = {
    "a plain table": (f"CREATE TABLE {LEDGER}", ""),
    "a trigger": (
        f"CREATE TABLE {LEDGER}; CREATE TRIGGER t BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION fire()",
        r"public\.schema_migrations has a trigger: t runs (public\.)?fire\(\)",
    ),
    "a view for a helper table": (
        "CREATE VIEW schema_migrations_meta AS SELECT 'format'::varchar(40) AS key, run() AS value",
        r"public\.schema_migrations_meta is not an ordinary table: view",
    ),
    "a materialized view": (
        f"CREATE TABLE {META}; CREATE MATERIALIZED VIEW schema_migrations_seeds AS SELECT 1",
        r"public\.schema_migrations_seeds is not an ordinary table: materialized view",
    ),
    "a default": (
        "CREATE TABLE schema_migrations_meta (key varchar(40) PRIMARY KEY, value text NOT NULL, x text DEFAULT run())",
        r"the default of column x of public\.schema_migrations_meta calls function public\.run\(\)",
    ),
    "a default that runs SQL": (
        f"CREATE TABLE {META.replace('NULL', 'NULL, x xml DEFAULT query_to_xml($$SELECT run()$$, true, true, $$$$)')}",
        r"the default of column x of public\.schema_migrations_meta calls function query_to_xml\(",
    ),
    "a default that changes the session": (
        f"CREATE TABLE {META.replace('NULL', 'NULL, x text DEFAULT set_config($$search_path$$, $$evil$$, false)')}",
        r"the default of column x of public\.schema_migrations_meta calls function set_config\(",
    ),
    "a policy": (
        f"CREATE TABLE {LEDGER}; ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY p ON schema_migrations USING (is_run())",
        r"public\.schema_migrations has a row-level security policy: p",
    ),
    "a rule": (
        f"CREATE TABLE {LEDGER}; CREATE RULE r AS ON INSERT TO schema_migrations DO ALSO SELECT run()",
        r"public\.schema_migrations has a rule: r",
    ),
    "a child": (
        f"CREATE TABLE {LEDGER}; CREATE TABLE child () INHERITS (schema_migrations)",
        r"(public\.)?child inherits from public\.schema_migrations",
    ),
    "a parent": (
        "CREATE TABLE parent (key varchar(40), value text);"
        " CREATE TABLE schema_migrations_meta (PRIMARY KEY (key)) INHERITS (parent)",
        r"public\.schema_migrations_meta inherits from (public\.)?parent",
    ),
    "a partitioned table": (
        "CREATE TABLE schema_migrations_meta (key varchar(40) PRIMARY KEY, value text) PARTITION BY LIST (key)",
        r"public\.schema_migrations_meta is not an ordinary table: partitioned table",
    ),
    "a check": (
        "CREATE TABLE schema_migrations_meta (key varchar(40) PRIMARY KEY, value text NOT NULL CONSTRAINT c CHECK (is_run()))",
        r"the constraint c of public\.schema_migrations_meta calls function public\.is_run\(\)",
    ),
    "a generated column": (
        f"CREATE TABLE {META.replace('NULL', 'NULL, x text GENERATED ALWAYS AS (run(value)) STORED')}",
        r"the generated column x of public\.schema_migrations_meta calls function public\.run\((pg_catalog\.)?anyelement\)",
    ),
    "an index of an expression": (
        f"CREATE TABLE {META}; CREATE INDEX i ON schema_migrations_meta (run(value))",
        r"the index i of public\.schema_migrations_meta calls function public\.run\((pg_catalog\.)?anyelement\)",
    ),
    "a partial index": (
        f"CREATE TABLE {META}; CREATE INDEX i ON schema_migrations_meta (key) WHERE run(1) = 'x'",
        r"the index i of public\.schema_migrations_meta calls function public\.run\((pg_catalog\.)?anyelement\)",
    ),
    "a statistics object": (
        f"CREATE TABLE {META}; CREATE STATISTICS s ON run(value), key FROM schema_migrations_meta",
        r"the statistics object s of public\.schema_migrations_meta calls function public\.run\((pg_catalog\.)?anyelement\)",
    ),
    "a domain": (
        "CREATE DOMAIN d AS text CHECK (is_run()); CREATE TABLE schema_migrations_meta (key varchar(40) PRIMARY KEY, value d)",
        r"column value of public\.schema_migrations_meta has a type that is not built in: (public\.)?d",
    ),
    "a cast of rows": (
        f"CREATE TABLE {META}; CREATE FUNCTION as_json(schema_migrations_meta) RETURNS json LANGUAGE sql AS"
        " $$ SELECT to_json(run()) $$;"
        " CREATE CAST (schema_migrations_meta AS json) WITH FUNCTION as_json(schema_migrations_meta)",
        r"there is a cast of the rows of public\.schema_migrations_meta to json",
    ),
    "a cascading foreign key": (
        f"CREATE TABLE {LEDGER}; CREATE TABLE x (v varchar(255) REFERENCES schema_migrations ON DELETE CASCADE);"
        " CREATE TRIGGER t AFTER DELETE ON x FOR EACH ROW EXECUTE FUNCTION fire()",
        r"(public\.)?x of low \w+ references public\.schema_migrations with an action that changes rows: x_v_fkey",
    ),
    "a record of another tool": (
        "CREATE TYPE ct AS (v bigint); CREATE FUNCTION as_text(ct) RETURNS text LANGUAGE sql AS $$ SELECT run() $$;"
        " CREATE CAST (ct AS text) WITH FUNCTION as_text(ct); CREATE TABLE schema_migrations (version ct, dirty boolean);"
        " INSERT INTO schema_migrations VALUES (ROW(20250101000000), false)",
        r"column version of public\.schema_migrations has a type that is not built in: (public\.)?ct",
    ),
    "a record of Alembic": (
        "CREATE DOMAIN d AS text; CREATE FUNCTION as_text(d) RETURNS text LANGUAGE sql AS $$ SELECT run() $$;"
        " CREATE TABLE alembic_version (version_num d); INSERT INTO alembic_version VALUES ('1')",
        r"column version_num of public\.alembic_version has a type that is not built in: (public\.)?d",
    ),
}
"""By name: what is planted in the schema public, and what the refusal names in addition to the owner, as a regular expression."""
