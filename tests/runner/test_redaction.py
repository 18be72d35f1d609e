"""What is redacted as a password, and what is not."""

import pytest

from tasks.postgres.masking import EXAMPLE_URL
from tasks.runner.redaction import redact, redact_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:geheim@h/db", "postgresql://me:***@h/db"),
        ("postgresql://me:p@ss:w/ord?#@h/db?x=y", "postgresql://me:***@h/db?x=y"),
        ("(postgresql+asyncpg://me:geheim@h/db)", "(postgresql+asyncpg://me:***@h/db)"),
        ("a postgres://x:1@h b mysql://y:2@h c", "a postgres://x:***@h b mysql://y:***@h c"),
        ("postgresql:///db?user=me&password=ge%40heim&x=y", "postgresql:///db?user=me&password=***&x=y"),
        ("host=h password=geheim user=me", "host=h password=*** user=me"),
        ("host=h password=a&b\\ c user=me", "host=h password=*** user=me"),
        (r"host=h password = 'ge \' heim' user=me", "host=h password = *** user=me"),
        ("host=h password='geheim", "host=h password=***"),
        ("sslpassword=geheim PGPASSWORD=geheim psql", "sslpassword=*** PGPASSWORD=*** psql"),
        ("CONNECTION 'host=h password=geheim user=me'", "CONNECTION 'host=h password=*** user=me'"),
        ("CONNECTION 'host=h password=''ge heim'' user=me'", "CONNECTION 'host=h password=*** user=me'"),
        ("OPTIONS (user 'me', password 'geheim')", "OPTIONS (user 'me', password ***)"),
        ("x encrypted PASSWORD\n 'it''s' VALID", "x encrypted PASSWORD\n *** VALID"),
        ("PASSWORD E'a\\'b' x", "PASSWORD E*** x"),
        ("PASSWORD $a$ge'$heim$a$ x", "PASSWORD *** x"),
        ("PASSWORD 'open", "PASSWORD ***"),
        ("EXECUTE 'ALTER ROLE me PASSWORD ''geheim'' NOLOGIN'", "EXECUTE 'ALTER ROLE me PASSWORD *** NOLOGIN***"),
        ("create user me pasword 'ge;heim'; SELECT 'x'", "create user me pasword ***; SELECT 'x'"),
    ],
)
def test_what_the_syntax_marks_as_a_password_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE_URL,
        f"write {EXAMPLE_URL} into .env",
        "postgresql://me@h:5432/db and https://host/path:1 and a@b",
        "postgresql://me:@h/db",
        'password authentication failed for user "me"',
        "CREATE TABLE users (password text NOT NULL DEFAULT '')",
        "DO $$ BEGIN RAISE NOTICE 'x'; END $$",
        "ALTER TABLE users ADD password_hash text",
        "SELECT 'x' AS role, 'y' AS user_group",
    ],
)
def test_text_without_passwords_is_not_changed(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("postgresql://me:geheim@h/db", "near geheim", "near ***"),
        ("postgresql://me:ge%40heim@h/db", "ge%40heim, ge@heim", "***, ***"),
        ("postgresql://me:ge:he/im@h/db", "ge:he/im", "***"),
        ("host=h password='ge heim'", "x ge heim x", "x *** x"),
        ("postgresql://h/db?password=geheim", "geheim", "***"),
        ("me:geheim@h/db", 'missing "=" after "me:geheim@h/db"', 'missing "=" after "me:***@h/db"'),
        ("postgresql://me:abc@h/db", "abc", "abc"),
        ("postgresql://me:password@h/db", "password authentication failed", "password authentication failed"),
        ("postgresql://gaia:gaia@h/gaia_dev", 'database "gaia_dev" does not exist', 'database "gaia_dev" does not exist'),
    ],
)
def test_the_password_of_the_url_is_hidden_everywhere_unless_that_would_reveal_it(url: str, text: str, shown: str) -> None:
    assert redact(text, url) == shown


@pytest.mark.parametrize(
    ("statement", "text", "shown"),
    [
        ("ALTER ROLE me PASSWORD 'x' 'abc'", "syntax error at or near \"'abc'\"", 'syntax error at or near "***"'),
        ("SELECT 'host=h password=geheim'", "near geheim", "near ***"),
        ("SELECT 'postgresql://me:no@h/db'", 'column "nowhere"', 'column "nowhere"'),
        ("SELECT 'postgresql://me:@h/db'", "nothing", "nothing"),
    ],
)
def test_what_the_server_quotes_of_a_statement_is_hidden(statement: str, text: str, shown: str) -> None:
    assert redact(text, statement=statement) == shown


@pytest.mark.parametrize(
    ("source", "column", "pointed"),
    [
        ("ALTER ROLE me PASSWORD 'geheim' NIX;", 33, "NIX;"),
        ("ALTER ROLE me PASSWORD 'geheim' NIX;", 1, "ALTER ROLE me PASSWORD *** NIX;"),
        ("ALTER ROLE me PASSWORD 'geheim';", 24, "***;"),
        ("ALTER ROLE me PASSWORD 'geheim';", 27, ";"),
        ("SELECT nix;", 8, "nix;"),
    ],
)
def test_the_column_moves_with_its_character(source: str, column: int, pointed: str) -> None:
    shown, moved = redact_line(source, column, "")
    assert "geheim" not in shown
    assert shown[moved - 1 :] == pointed


def test_an_unknown_column_stays_unknown() -> None:
    assert redact_line("PASSWORD 'geheim'", 0, "") == ("PASSWORD ***", 0)


@pytest.mark.parametrize("word", ["x", "http://a:", "password='", "password $$", "create user '", "'", " "])
def test_a_text_of_megabytes_is_redacted_quickly(word: str) -> None:
    """With a quadratic search, this would take hours."""
    text = word * (2_000_000 // len(word))
    assert redact(text + " nix").endswith(("nix", "***"))
