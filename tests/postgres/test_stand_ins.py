"""The stand-ins of the embedded server against the extensions themselves, and against Python's standard library."""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.postgres.server.embedded import STAND_IN_NAMES
from tests.kit.databases import Database, fresh_database
from tests.kit.servers import Server, find_machine_programs

ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
LENGTHS = (0, 1, 55, 56, 63, 64, 65, 111, 112, 119, 127, 128, 129, 1000)
"""In bytes: around the ends of the blocks and of the padding of all algorithms."""
NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}
FUNCTIONS = """
SELECT e.extname, p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), p.proargnames::text,
       p.proargmodes::text, p.provolatile, p.proisstrict, p.proparallel, p.proretset, p.prosecdef, p.proleakproof,
       obj_description(e.oid, 'pg_extension'), e.extversion, e.extrelocatable
  FROM pg_extension e JOIN pg_depend d ON d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
  JOIN pg_proc p ON p.oid = d.objid
 WHERE e.extname = %s ORDER BY 2, 3
"""
CREATE = {"pgcrypto": "CREATE EXTENSION pgcrypto VERSION '1.3'", "uuid-ossp": 'CREATE EXTENSION "uuid-ossp"'}


@pytest.fixture(scope="module")
def shared(embedded: Server) -> Iterator[Database]:
    """Yield a database of the embedded server that has both stand-ins."""
    with fresh_database(embedded) as database:
        database.execute('CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION pgcrypto')
        yield database


@pytest.fixture(params=STAND_IN_NAMES)
def original(request: pytest.FixtureRequest, servers: Callable[..., Server]) -> Iterator[tuple[str, Database]]:
    """Yield the name of each extension, and a database of a server on which it is the original."""
    programs = find_machine_programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed on this machine")
    with fresh_database(servers(programs)) as database:
        try:
            database.execute(CREATE[request.param])
        except psycopg.Error as error:
            pytest.skip(f"the installed PostgreSQL does not have it: {error}")
        yield request.param, database


def answer(database: Database, question: str, *parameters: object) -> object:
    """Return the result of a query, or the SQLSTATE and the message of its error."""
    try:
        return database.execute(f"SELECT {question}", *parameters).fetchall()
    except psycopg.Error as error:
        database.execute("ROLLBACK")
        return error.sqlstate, error.diag.message_primary


def make_questions(name: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    if name == "uuid-ossp":
        for namespace in (*(f"uuid_ns_{each}()" for each in NAMESPACES), "uuid_nil()"):
            yield namespace, ()
            for text in ("", "www.example.org", "gr\u00fc\u00df dich", "x" * 500):
                yield f"uuid_generate_v3({namespace}, %s), uuid_generate_v5({namespace}, %s)", (text, text)
        yield "uuid_generate_v5(NULL, 'a')", ()
        return
    for algorithm in (*ALGORITHMS, "SHA1", "Sha256", "sha-1", "SHA-384", "SHA2-512", "sha2-1", "", "no such"):
        for length in LENGTHS:
            data = bytes(number * 7 % 256 for number in range(length))
            yield "digest(%s::bytea, %s), hmac('data', %s::bytea, %s)", (data, algorithm, data, algorithm)
    yield "digest('gr\u00fc\u00df dich', 'sha1'), hmac('gr\u00fc\u00df dich', 'schl\u00fcssel', 'sha512')", ()
    yield "digest(NULL::text, 'md5')", ()
    for number in (-1, 0, 1025):
        yield "gen_random_bytes(%s)", (number,)


def test_a_stand_in_has_the_signatures_of_the_original(original: tuple[str, Database], embedded: Server) -> None:
    name, database = original
    with fresh_database(embedded) as other:
        other.execute(CREATE[name])
        assert other.execute(FUNCTIONS, name).fetchall() == database.execute(FUNCTIONS, name).fetchall()


def test_a_stand_in_has_the_results_and_errors_of_the_original(original: tuple[str, Database], shared: Database) -> None:
    name, database = original
    for question, parameters in make_questions(name):
        assert answer(shared, question, *parameters) == answer(database, question, *parameters), (question, parameters)


@settings(max_examples=25)
@given(data=st.binary(max_size=300), key=st.binary(max_size=200))
def test_hashes_are_those_of_python(shared: Database, data: bytes, key: bytes) -> None:
    question = "SELECT each, digest(%s::bytea, each), hmac(%s::bytea, %s::bytea, each) FROM unnest(%s::text[]) AS each"
    assert shared.execute(question, data, data, key, list(ALGORITHMS)).fetchall() == [
        (each, hashlib.new(each, data).digest(), hmac.digest(key, data, each)) for each in ALGORITHMS
    ]


@settings(max_examples=25)
@given(name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_uuids_of_names_are_those_of_python(shared: Database, name: str) -> None:
    for each, namespace in NAMESPACES.items():
        row = shared.execute(f"SELECT uuid_generate_v3(uuid_ns_{each}(), %s), uuid_generate_v5(uuid_ns_{each}(), %s)", name, name)
        assert row.fetchone() == (uuid.uuid3(namespace, name), uuid.uuid5(namespace, name))


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc"])
def test_uuids_of_the_time_are_unique_and_have_the_time_and_no_address_of_a_card(shared: Database, function: str) -> None:
    made = [row[0] for row in shared.execute(f"SELECT {function}() FROM generate_series(1, 500)")]
    nodes = {each.node for each in made}
    assert len(set(made)) == len(made)
    assert {(each.version, each.variant) for each in made} == {(1, uuid.RFC_4122)}
    assert all(node >> 40 & 1 for node in nodes)
    assert len(nodes) == (1 if function == "uuid_generate_v1" else len(made))
    times = [datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=each.time // 10) for each in made]
    assert times == sorted(times)
    assert abs(times[-1] - datetime.now(UTC)) < timedelta(minutes=5)


def test_random_values_are_random(shared: Database) -> None:
    made = [row[0] for row in shared.execute("SELECT uuid_generate_v4() FROM generate_series(1, 100)")]
    assert len(set(made)) == 100
    assert {each.version for each in made} == {4}
    for length in (1, 31, 32, 33, 1024):
        rows = [row[0] for row in shared.execute("SELECT gen_random_bytes(%s) FROM generate_series(1, 20)", length)]
        assert {len(row) for row in rows} == {length}
        assert length == 1 or len(set(rows)) == 20
    # About half of the bits are set.
    assert shared.execute("SELECT bit_count(gen_random_bytes(1000)) BETWEEN 3500 AND 4500").fetchone() == (True,)


def test_what_a_stand_in_cannot_do_is_an_error_that_names_the_function(shared: Database) -> None:
    calls = shared.execute(
        "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'"
        " JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'pgcrypto' WHERE prosrc LIKE 'BEGIN RAISE EXCEPTION%'"
    ).fetchall()
    assert len(calls) == 18
    for question, name in {"crypt('a', 'b')": "crypt", "gen_salt('bf', 8)": "gen_salt", "armor('a')": "armor"}.items():
        message = f"{name}() is not in the embedded server's stand-in for the extension pgcrypto"
        assert answer(shared, question) == ("MS001", message)
    message = "the algorithm sha3-256 is not in the embedded server's stand-in for the extension pgcrypto"
    assert answer(shared, "digest('a', 'SHA3-256')") == ("MS001", message)


def test_a_stand_in_works_in_a_table_and_after_it_was_moved(database: Database) -> None:
    database.execute(
        'CREATE SCHEMA a; CREATE SCHEMA "b c"; CREATE EXTENSION "uuid-ossp" SCHEMA a; CREATE EXTENSION pgcrypto SCHEMA a'
    )
    database.execute(
        "CREATE TABLE t (id uuid DEFAULT a.uuid_generate_v4(), n text, h bytea GENERATED ALWAYS AS (a.digest(n, 'sha1')) STORED);"
        "CREATE INDEX ON t (a.hmac(n, 'key', 'sha256'), a.uuid_generate_v5(a.uuid_ns_dns(), n))"
    )
    database.execute('ALTER EXTENSION "uuid-ossp" SET SCHEMA "b c"; ALTER EXTENSION pgcrypto SET SCHEMA "b c"')
    row = database.execute("INSERT INTO t (n) VALUES ('x') RETURNING id IS NOT NULL, h").fetchone()
    assert row == (True, hashlib.sha1(b"x").digest())


HOSTILE = """
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.fail() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function of a user was called'; END $$;
CREATE FUNCTION hostile.md5(bytea) RETURNS text LANGUAGE sql AS 'SELECT hostile.fail(); SELECT NULL::text';
CREATE FUNCTION hostile.length(bytea) RETURNS int LANGUAGE sql AS 'SELECT hostile.fail(); SELECT 0';
CREATE FUNCTION hostile.uuid_send(uuid) RETURNS bytea LANGUAGE sql AS 'SELECT hostile.fail(); SELECT NULL::bytea';
CREATE FUNCTION hostile.convert_to(text, name) RETURNS bytea LANGUAGE sql AS 'SELECT hostile.fail(); SELECT NULL::bytea';
CREATE FUNCTION hostile.join(bytea, bytea) RETURNS bytea LANGUAGE sql AS 'SELECT hostile.fail(); SELECT NULL::bytea';
CREATE OPERATOR hostile.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = hostile.join);
CREATE FUNCTION hostile.larger(int, int) RETURNS bool LANGUAGE sql AS 'SELECT hostile.fail(); SELECT true';
CREATE OPERATOR hostile.> (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.larger);
CREATE FUNCTION hostile.xor(int, int) RETURNS int LANGUAGE sql AS 'SELECT hostile.fail(); SELECT 1';
CREATE OPERATOR hostile.# (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.xor);
CREATE DOMAIN hostile.uuid AS text CHECK (false);
SET search_path = hostile, pg_catalog;
"""


@pytest.mark.parametrize("created", ["before", "after"])
def test_a_stand_in_calls_no_object_of_a_user(database: Database, created: str) -> None:
    create = 'CREATE EXTENSION "uuid-ossp" SCHEMA {0}; CREATE EXTENSION pgcrypto SCHEMA {0};'
    # Created afterwards, its script runs with the schema of the hostile objects on its search_path.
    schema = "public" if created == "before" else "hostile"
    database.execute(create.format(schema) + HOSTILE if created == "before" else HOSTILE + create.format(schema))
    calls = [
        ("", "digest('x', 'md5')", 16),
        ("", "digest('x', 'sha1')", 20),
        ("", "hmac('x', repeat('k', 100), 'sha1')", 20),
        ("", "gen_random_bytes(5)", 5),
        ("uuid_send", "uuid_generate_v1()", 16),
        ("uuid_send", "uuid_generate_v1mc()", 16),
        ("uuid_send", f"uuid_generate_v3({schema}.uuid_ns_dns(), 'x')", 16),
        ("uuid_send", "uuid_generate_v4()", 16),
        ("uuid_send", f"uuid_generate_v5({schema}.uuid_ns_dns(), 'x')", 16),
    ]
    for send, call, length in calls:
        value = f"pg_catalog.{send}({schema}.{call})" if send else f"{schema}.{call}"
        assert database.execute(f"SELECT pg_catalog.octet_length({value})").fetchone() == (length,), call
