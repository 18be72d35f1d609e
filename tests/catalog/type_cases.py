"""Cases for each attribute of types, other containers and routines that the catalog reads."""

from tests.catalog.cases import Case, F, T

RANGE = "CREATE FUNCTION less(a numeric, b numeric) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 0::float8';"
TEXTS = 'CREATE TYPE r AS RANGE (SUBTYPE = text, COLLATION = "C");'
BASE = """CREATE TYPE b; CREATE FUNCTION b_in(cstring) RETURNS b LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION b_out(b) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';"""
STATES = "".join(
    f"CREATE FUNCTION {name}({arguments}) RETURNS {result} LANGUAGE sql AS 'SELECT 1::{result}';"
    for name, arguments, result in (
        ("state", "integer", "integer"),
        ("state", "integer, integer", "integer"),
        ("state", "bigint, integer", "bigint"),
        ("final", "integer", "integer"),
        ("final", "bigint", "integer"),
    )
)
Q = "CREATE SEQUENCE q;"


def _change_domain(title: str, change: str, setup: str = "CREATE DOMAIN d AS text") -> Case:
    return Case(f"a domain: {title}", setup, change, ("changed domain public.d",))


def _change_range(title: str, options: str, since: int = 14) -> Case:
    setup = f"{RANGE} CREATE TYPE r AS RANGE (SUBTYPE = numeric)"
    return Case(f"a range: {title}", setup, f"DROP TYPE r; CREATE TYPE r AS RANGE ({options})", ("changed type public.r",), since)


def _change_base_type(title: str, options: str, before: str = "INTERNALLENGTH = 4, PASSEDBYVALUE") -> Case:
    setup = f"{BASE} CREATE TYPE b (INPUT = b_in, OUTPUT = b_out, {before})"
    change = f"DROP TYPE b CASCADE; {BASE} CREATE TYPE b (INPUT = b_in, OUTPUT = b_out, {options})"
    return Case(f"a base type: {title}", setup, change, ("changed type public.b",))


def _change_sequence(option: str) -> Case:
    return Case(f"a sequence: {option}", Q, f"ALTER SEQUENCE q {option}", ("changed sequence public.q",))


def _change_aggregate(
    title: str, options: str, before: str = "SFUNC = int4pl, STYPE = integer", arguments: str = "integer"
) -> Case:
    setup = f"{STATES} CREATE AGGREGATE a ({arguments}) ({before})"
    change = f"DROP AGGREGATE a ({arguments}); CREATE AGGREGATE a ({arguments}) ({options})"
    signature = arguments.replace(" ORDER BY ", ",")
    return Case(f"an aggregate: {title}", setup, change, (f"changed aggregate public.a({signature})",))


def _replace_function(options: str) -> Case:
    change = F.replace("CREATE", "CREATE OR REPLACE").replace("LANGUAGE", f"{options} LANGUAGE")
    return Case(f"a function: {options}", F, change, ("changed function public.f(integer)",))


TYPES = (
    Case("an extension's schema", "CREATE SCHEMA s", "UPDATE pg_extension SET extnamespace = 's'::regnamespace",
         ("changed extension plpgsql",)),
    Case("the order of labels, not that of their creation",
         "CREATE TYPE e AS ENUM ('a', 'c'); ALTER TYPE e ADD VALUE 'b' BEFORE 'c'",
         "DROP TYPE e; CREATE TYPE e AS ENUM ('a', 'b', 'c')", ()),
    Case("a composite type: the name of a part", "CREATE TYPE c AS (a text)", "ALTER TYPE c RENAME ATTRIBUTE a TO b",
         ("changed type public.c",)),
    Case("a composite type: the collation of a part", "CREATE TYPE c AS (a text)",
         'ALTER TYPE c ALTER ATTRIBUTE a TYPE text COLLATE "C"', ("changed type public.c",)),
    Case("a composite type: the type of a part", "CREATE TYPE c AS (a varchar(3))",
         "ALTER TYPE c ALTER ATTRIBUTE a TYPE varchar(4)", ("changed type public.c",)),
    _change_range("SUBTYPE", "SUBTYPE = text"),
    _change_range("SUBTYPE_DIFF", "SUBTYPE = numeric, SUBTYPE_DIFF = less"),
    _change_range("MULTIRANGE_TYPE_NAME", "SUBTYPE = numeric, MULTIRANGE_TYPE_NAME = ranges"),
    Case("a range: SUBTYPE_OPCLASS", "CREATE TYPE r AS RANGE (SUBTYPE = text)",
         "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops)", ("changed type public.r",)),
    Case("a range: COLLATION", TEXTS, "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = text)", ("changed type public.r",)),
    Case("a range: CANONICAL", RANGE + "CREATE TYPE r AS RANGE (SUBTYPE = integer)",
         """DROP TYPE r; CREATE TYPE r;
         CREATE FUNCTION c(r) RETURNS r LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
         CREATE TYPE r AS RANGE (SUBTYPE = integer, CANONICAL = c)""",
         ("added function public.c(public.r)", "changed type public.r")),
    _change_base_type("INTERNALLENGTH", "INTERNALLENGTH = 8", "INTERNALLENGTH = 4"),
    Case("a base type: OUTPUT", f"{BASE} CREATE TYPE b (INPUT = b_in, OUTPUT = b_out)",
         f"DROP TYPE b CASCADE; {BASE.replace('b_out', 'b_write')} CREATE TYPE b (INPUT = b_in, OUTPUT = b_write)",
         ("removed function public.b_out(public.b)", "added function public.b_write(public.b)", "changed type public.b")),
    Case("a base type: INPUT", f"{BASE} CREATE TYPE b (INPUT = b_in, OUTPUT = b_out)",
         f"DROP TYPE b CASCADE; {BASE.replace('b_in', 'b_read')} CREATE TYPE b (INPUT = b_read, OUTPUT = b_out)",
         ("removed function public.b_in(cstring)", "added function public.b_read(cstring)", "changed type public.b")),
    _change_base_type("ALIGNMENT", "INTERNALLENGTH = 4, ALIGNMENT = char", "INTERNALLENGTH = 4"),
    _change_base_type("CATEGORY", "INTERNALLENGTH = 4, PASSEDBYVALUE, CATEGORY = 'x'"),
    _change_base_type("PASSEDBYVALUE", "INTERNALLENGTH = 4"),
    Case("a base type: STORAGE", BASE + "CREATE TYPE b (INPUT = b_in, OUTPUT = b_out)", "ALTER TYPE b SET (STORAGE = extended)",
         ("changed type public.b",)),
    Case("a shell type", "CREATE TYPE b", f"DROP TYPE b; {BASE} CREATE TYPE b (INPUT = b_in, OUTPUT = b_out)",
         ("added function public.b_in(cstring)", "added function public.b_out(public.b)", "changed type public.b")),
    _change_domain("DEFAULT", "ALTER DOMAIN d SET DEFAULT 'x'"),
    _change_domain("its type", "DROP DOMAIN d; CREATE DOMAIN d AS varchar(3)"),
    _change_domain("COLLATE", 'DROP DOMAIN d; CREATE DOMAIN d AS text COLLATE "C"'),
    _change_domain("the name of a check", "ALTER DOMAIN d RENAME CONSTRAINT a TO b",
                   "CREATE DOMAIN d AS text CONSTRAINT a CHECK (VALUE <> '')"),
    Case("a domain: the order of its checks",
         "CREATE DOMAIN d AS text CONSTRAINT b CHECK (VALUE <> 'b') CONSTRAINT a CHECK (VALUE <> 'a')",
         "DROP DOMAIN d; CREATE DOMAIN d AS text CONSTRAINT a CHECK (VALUE <> 'a') CONSTRAINT b CHECK (VALUE <> 'b')", ()),
    Case("a sequence: AS", "CREATE SEQUENCE q MAXVALUE 99", "ALTER SEQUENCE q AS smallint", ("changed sequence public.q",)),
    *map(_change_sequence, ("INCREMENT BY 2", "MINVALUE -3", "MAXVALUE 99", "START WITH 3", "CACHE 4", "CYCLE")),
    Case("a sequence: UNLOGGED", Q, "ALTER SEQUENCE q SET UNLOGGED", ("changed sequence public.q",), since=15),
    Case("a sequence: another owner", T + Q + "ALTER SEQUENCE q OWNED BY t.id", "ALTER SEQUENCE q OWNED BY t.name",
         ("changed sequence public.q",)),
)  # fmt: skip

INTERNAL = "SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg"
UNPACK = "DESERIALFUNC = numeric_avg_deserialize"
STATED = "SFUNC = int4pl, STYPE = integer, MSFUNC = state, MINVFUNC = state, MSTYPE = {}, MFINALFUNC = final"
MOVING = "SFUNC = int4pl, STYPE = integer, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer"
SORTED = "SFUNC = int4larger, STYPE = integer"
ROUTINES = (
    *map(_replace_function, ("STRICT", "SECURITY DEFINER", "LEAKPROOF", "PARALLEL SAFE", "COST 7", "IMMUTABLE")),
    _replace_function("SET jit TO off"),
    _change_aggregate("SFUNC", "SFUNC = int4mi, STYPE = integer"),
    _change_aggregate("STYPE", "SFUNC = state, STYPE = bigint", "SFUNC = state, STYPE = integer"),
    _change_aggregate("SSPACE", "SFUNC = int4pl, STYPE = integer, SSPACE = 9"),
    _change_aggregate("FINALFUNC", "SFUNC = int4pl, STYPE = integer, FINALFUNC = int4abs"),
    _change_aggregate("FINALFUNC_EXTRA", "SFUNC = int4pl, STYPE = integer, FINALFUNC = state, FINALFUNC_EXTRA",
                      "SFUNC = int4pl, STYPE = integer, FINALFUNC = state"),
    _change_aggregate("FINALFUNC_MODIFY", "SFUNC = int4pl, STYPE = integer, FINALFUNC_MODIFY = SHAREABLE"),
    _change_aggregate("FINALFUNC_MODIFY, the other", "SFUNC = int4pl, STYPE = integer, FINALFUNC_MODIFY = SHAREABLE",
                      "SFUNC = int4pl, STYPE = integer, FINALFUNC_MODIFY = READ_WRITE"),
    _change_aggregate("COMBINEFUNC", "SFUNC = int4pl, STYPE = integer, COMBINEFUNC = int4mul"),
    _change_aggregate("SERIALFUNC", f"{INTERNAL}, SERIALFUNC = int8_avg_serialize, {UNPACK}",
                      f"{INTERNAL}, SERIALFUNC = numeric_avg_serialize, {UNPACK}", "numeric"),
    _change_aggregate("DESERIALFUNC", f"{INTERNAL}, SERIALFUNC = numeric_avg_serialize, DESERIALFUNC = int8_avg_deserialize",
                      f"{INTERNAL}, SERIALFUNC = numeric_avg_serialize, {UNPACK}", "numeric"),
    _change_aggregate("INITCOND", "SFUNC = int4pl, STYPE = integer, INITCOND = '7'"),
    _change_aggregate("MSFUNC", MOVING),
    _change_aggregate("MSFUNC, another", MOVING.replace("MSFUNC = int4pl", "MSFUNC = int4mul"), MOVING),
    _change_aggregate("MINVFUNC", MOVING.replace("int4mi", "int4mul"), MOVING),
    _change_aggregate("MSTYPE", STATED.format("bigint"), STATED.format("integer")),
    _change_aggregate("MSSPACE", f"{MOVING}, MSSPACE = 9", MOVING),
    _change_aggregate("MFINALFUNC", f"{MOVING}, MFINALFUNC = int4abs", MOVING),
    _change_aggregate("MFINALFUNC_EXTRA", f"{MOVING}, MFINALFUNC = state, MFINALFUNC_EXTRA", f"{MOVING}, MFINALFUNC = state"),
    _change_aggregate("MFINALFUNC_MODIFY", f"{MOVING}, MFINALFUNC = int4abs, MFINALFUNC_MODIFY = SHAREABLE",
                      f"{MOVING}, MFINALFUNC = int4abs"),
    _change_aggregate("MFINALFUNC_MODIFY, the other", f"{MOVING}, MFINALFUNC = int4abs, MFINALFUNC_MODIFY = SHAREABLE",
                      f"{MOVING}, MFINALFUNC = int4abs, MFINALFUNC_MODIFY = READ_WRITE"),
    _change_aggregate("MINITCOND", f"{MOVING}, MINITCOND = '7'", MOVING),
    _change_aggregate("SORTOP", f"{SORTED}, SORTOP = <", f"{SORTED}, SORTOP = >"),
    _change_aggregate("PARALLEL = SAFE", "SFUNC = int4pl, STYPE = integer, PARALLEL = SAFE"),
    _change_aggregate("PARALLEL = RESTRICTED", "SFUNC = int4pl, STYPE = integer, PARALLEL = RESTRICTED"),
    _change_aggregate("HYPOTHETICAL", "SFUNC = int4pl, STYPE = integer, HYPOTHETICAL", arguments="integer ORDER BY integer"),
)  # fmt: skip

CASTS = "".join(f"CREATE FUNCTION {name}(integer) RETURNS point LANGUAGE sql AS 'SELECT point(0, 0)';" for name in ("to1", "to2"))
EQUAL = "LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq"
SEEN_OPERATOR = ("changed operator public.===(integer,integer)",)
OTHERS = (
    *(Case(f"an operator: {option}", f"CREATE OPERATOR === ({EQUAL})",
           f"DROP OPERATOR === (integer, integer); CREATE OPERATOR === ({text})", SEEN_OPERATOR)
      for option, text in (
          ("FUNCTION", EQUAL.replace("int4eq", "int4ne")), ("COMMUTATOR", f"{EQUAL}, COMMUTATOR = ==="),
          ("RESTRICT", f"{EQUAL}, RESTRICT = eqsel"), ("JOIN", f"{EQUAL}, JOIN = eqjoinsel"))),
    *(Case(f"an operator: {option}", f"CREATE OPERATOR === ({EQUAL}, COMMUTATOR = ===)",
           f"DROP OPERATOR === (integer, integer); CREATE OPERATOR === ({EQUAL}, COMMUTATOR = ===, {option})",
           SEEN_OPERATOR) for option in ("HASHES", "MERGES")),
    Case("an operator: NEGATOR", f"CREATE OPERATOR === ({EQUAL})",
         f"CREATE OPERATOR !== ({EQUAL.replace('eq', 'ne')}, NEGATOR = ===)",
         ("added operator public.!==(integer,integer)", "changed operator public.===(integer,integer)")),
    *(Case(f"a cast: {after}", f"{CASTS} CREATE CAST (integer AS point) {before}",
           f"DROP CAST (integer AS point); CREATE CAST (integer AS point) {after}",
           ("changed cast (integer AS pg_catalog.point)",))
      for before, after in (("WITH FUNCTION to1(integer)", "WITH FUNCTION to2(integer)"),
                            ("WITH FUNCTION to1(integer)", "WITH INOUT"),
                            ("WITH INOUT", "WITH INOUT AS IMPLICIT"), ("WITH INOUT", "WITH INOUT AS ASSIGNMENT"))),
    Case("a collation: its locale", 'CREATE COLLATION c FROM "C"', 'DROP COLLATION c; CREATE COLLATION c FROM "POSIX"',
         ("changed collation public.c",)),
    Case("a collation: LC_CTYPE", 'CREATE COLLATION c FROM "C"',
         "DROP COLLATION c; CREATE COLLATION c (LC_COLLATE = 'C', LC_CTYPE = 'POSIX')",
         ("changed collation public.c",)),
    Case("a collation: PROVIDER", 'CREATE COLLATION c FROM "C"',
         "DROP COLLATION c; CREATE COLLATION c (PROVIDER = builtin, LOCALE = 'C')",
         ("changed collation public.c",), since=17),
    Case("a conversion: DEFAULT", "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
         "DROP CONVERSION c; CREATE DEFAULT CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
         ("changed conversion public.c",)),
    Case("a conversion: its encodings", "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
         "DROP CONVERSION c; CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
         ("changed conversion public.c",)),
    Case("a language: HANDLER",
         """CREATE FUNCTION h() RETURNS language_handler LANGUAGE internal AS 'heap_tableam_handler';
         CREATE LANGUAGE l HANDLER plpgsql_call_handler""",
         "DROP LANGUAGE l; CREATE LANGUAGE l HANDLER h", ("changed language l",)),
    Case("an access method: its type and handler", "CREATE ACCESS METHOD a TYPE TABLE HANDLER heap_tableam_handler",
         "DROP ACCESS METHOD a; CREATE ACCESS METHOD a TYPE INDEX HANDLER bthandler", ("changed access method a",)),
    Case("a language: TRUSTED", "CREATE LANGUAGE l HANDLER plpgsql_call_handler",
         "DROP LANGUAGE l; CREATE TRUSTED LANGUAGE l HANDLER plpgsql_call_handler", ("changed language l",)),
    Case("a language: INLINE", "CREATE LANGUAGE l HANDLER plpgsql_call_handler",
         "DROP LANGUAGE l; CREATE LANGUAGE l HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler",
         ("changed language l",)),
    Case("a language: VALIDATOR", "CREATE LANGUAGE l HANDLER plpgsql_call_handler",
         "DROP LANGUAGE l; CREATE LANGUAGE l HANDLER plpgsql_call_handler VALIDATOR plpgsql_validator", ("changed language l",)),
    Case("a text search configuration: its words", "CREATE TEXT SEARCH CONFIGURATION w (COPY = simple)",
         "ALTER TEXT SEARCH CONFIGURATION w DROP MAPPING FOR word", ("changed text search configuration public.w",)),
    Case("a text search configuration: its dictionaries", "CREATE TEXT SEARCH CONFIGURATION w (COPY = simple)",
         "ALTER TEXT SEARCH CONFIGURATION w ALTER MAPPING FOR word WITH english_stem, simple",
         ("changed text search configuration public.w",)),
    Case("a text search configuration: their order",
         """CREATE TEXT SEARCH CONFIGURATION w (COPY = simple);
         ALTER TEXT SEARCH CONFIGURATION w ALTER MAPPING FOR word WITH english_stem, simple""",
         "ALTER TEXT SEARCH CONFIGURATION w ALTER MAPPING FOR word WITH simple, english_stem",
         ("changed text search configuration public.w",)),
    Case("a text search dictionary: its template", "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
         "DROP TEXT SEARCH DICTIONARY d; CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = snowball, LANGUAGE = english)",
         ("changed text search dictionary public.d",)),
    Case("a text search dictionary: its options", "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
         "ALTER TEXT SEARCH DICTIONARY d (ACCEPT = false)", ("changed text search dictionary public.d",)),
)  # fmt: skip
