"""What is masked in the text of a file: the literals of statements that speak of secrets, and no others."""

import pytest

from tasks.postgres.masking import EXAMPLE_URL, LONG, has_secrets, mask, mask_secrets, mask_urls
from tasks.postgres.masking.long_texts import may_have_secrets

_SECRETS = {
    "a literal on its own line": "CREATE ROLE r\n  LOGIN\n  PASSWORD\n    'geheim'\n  VALID UNTIL 'infinity';",
    "a literal in parts": "ALTER ROLE r PASSWORD 'ge'\n  'heim'; SELECT 'heimgeheim' AS password;",
    "E''": r"ALTER ROLE r PASSWORD E'a\'geheim';",
    "U&''": r"ALTER ROLE r PASSWORD U&'geheim\0061';",
    "a dollar-quoted literal": "ALTER ROLE r PASSWORD $q$it's geheim$q$;",
    "B'' and X''": "UPDATE users SET password = B'geheim', salt = X'geheim';",
    "a comment between": "ALTER ROLE r PASSWORD /* 'old' */ -- new\n 'geheim';",
    "a variable of psql": "ALTER ROLE r PASSWORD :'geheim';",
    "a misspelt word": "CREATE USER r PASWORD 'geheim';",
    "an identifier in place of the literal": 'ALTER ROLE r PASSWORD "geheim";',
    "a word in place of the literal": "ALTER ROLE r PASSWORD geheim;",
    "an escaped name": "UPDATE u SET U&\"p\\0061ssword\" = 'geheim';",
    "format": "DO $$BEGIN EXECUTE format('CREATE ROLE r PASSWORD %L', 'geheim'); END$$;",
    "a variable far above": "DO $$ DECLARE x text := 'geheim';\nBEGIN\nEXECUTE format('ALTER ROLE r PASSWORD %L', x); END $$;",
    "doubled quotes": "DO 'BEGIN EXECUTE ''ALTER ROLE r PASSWORD ''''geheim''''''; END';",
    "a word in two parts": "DO $$BEGIN EXECUTE 'ALTER ROLE r PASS' || 'WORD ' || quote_literal('geheim'); END$$;",
    "dollar quotes in a body": "DO $$BEGIN EXECUTE $q$ALTER ROLE r PASSWORD 'geheim'$q$; END$$;",
    "a function": "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS $f$ SELECT crypt('geheim', gen_salt('bf')) $f$;",
    "a body without quotes": "CREATE FUNCTION f(pwd text) RETURNS bool BEGIN ATOMIC SELECT 1; SELECT pwd = 'geheim'; END;",
    "a prepared statement": "PREPARE p AS INSERT INTO tokens VALUES ($1);\nEXECUTE p('geheim');",
    "an argument of a function with a secret": "CREATE FUNCTION f(x text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
    "EXECUTE format('ALTER ROLE r PASSWORD %L', x); END $$;\nSELECT f('geheim');",
    "a setting of a function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.secret = geheim AS $$ SELECT 1 $$;",
    "escapes": r"DO $$ BEGIN EXECUTE E'ALTER ROLE r \x50ASSWORD \'geheim\''; END $$; SELECT E'\u0070assword', 'geheim';",
    "a custom setting": "SET app.password TO 'geheim';",
    "a custom setting without quotes": "SET LOCAL app.token = geheim;",
    "set_config": "SELECT set_config('app.password', 'geheim', false);",
    "a setting of the database": "ALTER DATABASE d SET app.secret = 'geheim';",
    "a setting of a role": "ALTER ROLE r IN DATABASE d SET app.api_key TO 'geheim';",
    "a setting of the server": "ALTER SYSTEM SET x.secret TO geheim;",
    "options": "CREATE USER MAPPING FOR r SERVER s OPTIONS (user 'u', password 'geheim');",
    "added options": "ALTER SERVER s OPTIONS (ADD sslpassword 'geheim', SET passwd 'geheim');",
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION 'host=h user=geheim' PUBLICATION p;",
    "an altered subscription": "ALTER SUBSCRIPTION s CONNECTION 'service=geheim';",
    "dblink": "SELECT * FROM dblink('host=h password=geheim', 'SELECT ''geheim''') AS t(a int);",
    "a URL": "SELECT 'https://me:geheim@h/x';",
    "a column": "INSERT INTO users (name, password) VALUES ('Bob', 'geheim');",
    "a table": "INSERT INTO api_tokens VALUES ('geheim');",
    "a camel-case name": "UPDATE users SET \"apiKey\" = 'geheim' WHERE name = 'Bob';",
    "a column called key": "INSERT INTO settings (key, value) VALUES ('geheim', 'geheim');",
    "pwd": "UPDATE users SET smtp_pwd = 'geheim';",
    "an object in JSON": """INSERT INTO settings VALUES ('{"credentials": "geheim"}');""",
    "a default": "CREATE TABLE users (id int PRIMARY KEY, passwd text DEFAULT 'geheim');",
    "data of a COPY": "COPY users (name, password) FROM stdin;\nit's\tgeheim\r\nBob\tgeheim\n\\.\nSELECT 1;",
    "data without an end": "COPY tokens FROM stdin;\ngeheim",
    "psql": "\\set api_token geheim\nSELECT 1;",
    "a statement in comments": "-- ALTER ROLE r\n--   PASSWORD 'geheim';\nSELECT 1;",
    "an assignment in a comment": "/* password: geheim */ SELECT 1;",
    "a comment in a body": "DO $$ BEGIN\n -- ALTER ROLE r PASSWORD 'geheim'\n NULL; END $$;",
    "an open literal": "SELECT 'a'; ALTER ROLE r PASSWORD 'geheim\nSELECT 1;",
    "an open dollar quote": "ALTER ROLE r PASSWORD $q$geheim\nSELECT 1;",
    "a quote too many before": "SELECT 'it's';\nALTER ROLE r PASSWORD 'geheim; heim';",
    "an open literal before": "SELECT 'it;\nALTER ROLE r PASSWORD 'geheim';\nSELECT 'b';",
    "two quotes too many": "SELECT 'it; ALTER ROLE r PASSWORD 'geheim' don't';",
    "a quote too many in a body": "DO $$ BEGIN x := 'it's; EXECUTE 'ALTER ROLE r PASSWORD 'geheim''; END $$;",
    "more backslashes that the server reads": r"SET standard_conforming_strings = off; ALTER ROLE r PASSWORD 'a\' geheim \'b';",
    "backslashes that the server reads": r"SET standard_conforming_strings = off; ALTER ROLE r PASSWORD 'a\'geheim';",
}


@pytest.mark.parametrize("text", _SECRETS.values(), ids=_SECRETS)
def test_the_literals_of_a_statement_that_speaks_of_secrets_are_masked(text: str) -> None:
    masked = mask_secrets(text)
    assert "heim" not in masked
    assert masked.count("\n") == text.count("\n")
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize("text", _SECRETS.values(), ids=_SECRETS)
def test_a_statement_before_one_with_secrets_stays_visible(text: str) -> None:
    before = "INSERT INTO users (name) VALUES ('Bob');\n"
    masked = mask_secrets(f"{before}{text}\nINSERT INTO users (name) VALUES ('Eve');")
    assert masked.startswith(before)
    assert "heim" not in masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INSERT INTO users (name) VALUES ('Bob');",
        "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE, status text DEFAULT 'new', FOREIGN KEY (a) REFERENCES b);",
        "CREATE TABLE t (id int, CONSTRAINT t_key PRIMARY\n  KEY (id), CHECK (a IN ('b', 'c')));",
        "SELECT * FROM t WHERE a = 'b' FOR KEY SHARE;",
        "SELECT * FROM t WHERE a = 'b' FOR NO KEY UPDATE;",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app NOLOGIN; END IF; END $$;",
        "ALTER ROLE r SET search_path = 'app';",
        "CREATE ROLE r LOGIN VALID UNTIL '2030-01-01';",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (slot_name = 'a');",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', dbname 'd');",
        "CREATE TABLE users (password text NOT NULL DEFAULT '', tokens jsonb DEFAULT '{}');",
        "UPDATE users SET password = new_password;",
        "SELECT 'keyboard', 'monkey', 'secretary', 'tokenize', 'compass';",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'a' $$;",
        "DO $$ BEGIN RAISE EXCEPTION 'users without a password'; END $$;",
        "-- don't forget the user's password\nSELECT 'a';",
        "-- PASSWORD is set elsewhere\nSELECT 'a';",
        f"-- write {EXAMPLE_URL} into .env",
        "SELECT 'it's' FROM t;\nSELECT 'b",
        "COPY t FROM stdin;\nit's\n\\.\nSELECT 'a';",
    ],
)
def test_ordinary_literals_stay_visible(text: str) -> None:
    assert mask_secrets(text) == text
    assert not has_secrets(text)


@pytest.mark.parametrize("text", _SECRETS.values(), ids=_SECRETS)
def test_a_long_text_with_a_secret_may_have_one_wherever_that_is(text: str) -> None:
    for before in (0, LONG // 4 - len(text) // 2, LONG // 4 - 1):
        long = f"{' ' * before}\n{text}"
        assert may_have_secrets(long) or mask_urls(long) == mask_secrets(long) != long


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE users (id int PRIMARY KEY, user_id int, role text);",
        "INSERT INTO users VALUES (1, 'it''s a compass of the group', '\\x00', 'created by a user');",
        "COPY users FROM stdin;\n1\tpassenger\tC:\\\\x\n\\.\n",
        "ALTER TABLE users ADD COLUMN role text;",
    ],
)
def test_ordinary_data_has_nothing_that_may_be_a_secret(text: str) -> None:
    assert not may_have_secrets(text)


def test_code_in_a_body_stays_visible_between_its_literals() -> None:
    text = "DO $$\nDECLARE secret text := 'geheim';\nBEGIN\n  PERFORM f(secret, 'a\nb');\nEND $$;"
    assert mask_secrets(text) == "DO $$\nDECLARE secret text := ***;\nBEGIN\n  PERFORM f(secret, ***\n);\nEND $$;"


def test_an_offset_moves_with_its_character() -> None:
    text = "ALTER ROLE r PASSWORD 'ge\nheim' NIX;"
    masked = mask(text)
    assert masked.text[masked.move(text.index("NIX")) :] == "NIX;"
    assert masked.text[masked.move(text.index("heim")) :].startswith("***")
    assert masked.move(3) == 3


@pytest.mark.parametrize("word", ["x", "http://a:", "password='", "password $$", "create user '", "'", " ", "(", "password 'a';"])
def test_a_text_of_megabytes_is_masked_quickly(word: str) -> None:
    """With a quadratic search, this would take hours."""
    mask_secrets(word * (200_000 // len(word)))
