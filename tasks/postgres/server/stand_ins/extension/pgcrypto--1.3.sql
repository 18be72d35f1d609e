-- The functions of pgcrypto 1.3 (https://www.postgresql.org/docs/current/pgcrypto.html) in SQL and PL/pgSQL, for the embedded server:
-- hashes and random values with the original's results; each other function raises an error that names it.
--
-- Names are resolved when a function is created (BEGIN ATOMIC) or in pg_catalog only (SET search_path), and each function and
-- operator is qualified where both could be a user's: no object of a user is called, and the extension can be moved.
-- Needs PostgreSQL 18, because it casts bytea to bigint.

CREATE FUNCTION digest(bytea, text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    algorithm text := lower($2 COLLATE "C");
    message bytea := $1;
    -- SHA-1, https://www.rfc-editor.org/rfc/rfc3174: words of 32 bits, each in a bigint.
    ones CONSTANT bigint := 4294967295;
    words bigint[];
    word bigint;
    first bigint;
    a bigint;
    b bigint;
    c bigint;
    d bigint;
    e bigint;
    state bigint[] := '{1732584193,4023233417,2562383102,271733878,3285377520}';
    hash bytea;
BEGIN
    -- The other names that OpenSSL has for them: https://docs.openssl.org/3.0/man7/EVP_MD-SHA2/
    CASE regexp_replace(algorithm, '^sha(?:-(?=1$)|2?-(?=(?:224|256|384|512)$))', 'sha')
        WHEN 'md5' THEN RETURN decode(md5($1), 'hex');
        WHEN 'sha1' THEN NULL;
        WHEN 'sha224' THEN RETURN sha224($1);
        WHEN 'sha256' THEN RETURN sha256($1);
        WHEN 'sha384' THEN RETURN sha384($1);
        WHEN 'sha512' THEN RETURN sha512($1);
        ELSE
            IF algorithm ~ '^(?:sha3|shake|keccak|blake2|sha512-|sha2?-512/|md4|md5-sha1|ripemd|rmd160|whirlpool|sm3)' THEN
                RAISE EXCEPTION USING ERRCODE = 'MS001', MESSAGE =
                    format('the algorithm %s is not in the embedded server''s stand-in for the extension pgcrypto', algorithm);
            END IF;
            RAISE invalid_parameter_value USING MESSAGE = format('Cannot use "%s": No such hash algorithm', algorithm);
    END CASE;
    message := message || '\x80'::bytea || decode(repeat('00', ((55 - length(message)) % 64 + 64) % 64), 'hex')
        || int8send(length(message)::bigint * 8);
    FOR block IN 0 .. length(message) / 64 - 1 LOOP
        words := ARRAY(SELECT substr(message, block * 64 + part * 4 + 1, 4)::bigint FROM generate_series(0, 15) AS part);
        a := state[1];
        b := state[2];
        c := state[3];
        d := state[4];
        e := state[5];
        FOR round IN 1 .. 80 LOOP
            IF round > 16 THEN
                word := words[round - 3] # words[round - 8] # words[round - 14] # words[round - 16];
                words[round] := ((word << 1) | (word >> 31)) & ones;
            END IF;
            first := ((a << 5) | (a >> 27)) + e + words[round] + CASE (round - 1) / 20
                WHEN 0 THEN ((b & c) | (~b & d)) + 1518500249
                WHEN 1 THEN (b # c # d) + 1859775393
                WHEN 2 THEN ((b & c) | (b & d) | (c & d)) + 2400959708
                ELSE (b # c # d) + 3395469782
            END;
            e := d;
            d := c;
            c := ((b << 30) | (b >> 2)) & ones;
            b := a;
            a := first & ones;
        END LOOP;
        state := ARRAY[(state[1] + a) & ones, (state[2] + b) & ones, (state[3] + c) & ones, (state[4] + d) & ones, (state[5] + e) & ones];
    END LOOP;
    hash := (SELECT string_agg(substr(int8send(each), 5, 4), ''::bytea ORDER BY number)
        FROM unnest(state) WITH ORDINALITY AS s (each, number));
    RETURN hash;
END
$body$;

CREATE FUNCTION digest(text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT digest(pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()), $2);
END;

-- RFC 2104. A key that is longer than a block of the algorithm is replaced by its hash.
CREATE FUNCTION hmac(bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH block AS (
        SELECT CASE WHEN pg_catalog.lower($3 COLLATE "C") OPERATOR(pg_catalog.~) '^sha(?:2?-)?(?:384|512)$'::pg_catalog.text
            THEN 128 ELSE 64 END AS size
    ), short AS (
        SELECT size, CASE WHEN pg_catalog.length($2) OPERATOR(pg_catalog.>) size THEN digest($2, $3) ELSE $2 END AS key FROM block
    ), bytes AS (
        SELECT number, CASE WHEN number OPERATOR(pg_catalog.<) pg_catalog.length(key) THEN pg_catalog.get_byte(key, number) ELSE 0 END
            AS value
        FROM short CROSS JOIN pg_catalog.generate_series(0, size OPERATOR(pg_catalog.-) 1) AS number
    ), pads AS (
        SELECT pg_catalog.string_agg(pg_catalog.set_byte('\x00'::pg_catalog.bytea, 0, value OPERATOR(pg_catalog.#) 54),
                ''::pg_catalog.bytea ORDER BY number) AS inner_pad,
            pg_catalog.string_agg(pg_catalog.set_byte('\x00'::pg_catalog.bytea, 0, value OPERATOR(pg_catalog.#) 92),
                ''::pg_catalog.bytea ORDER BY number) AS outer_pad
        FROM bytes
    )
    SELECT digest(outer_pad OPERATOR(pg_catalog.||) digest(inner_pad OPERATOR(pg_catalog.||) $1, $3), $3) FROM pads;
END;

CREATE FUNCTION hmac(text, text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT hmac(pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()),
        pg_catalog.convert_to($2, pg_catalog.getdatabaseencoding()), $3);
END;

CREATE FUNCTION gen_random_bytes(int4) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF $1 < 1 OR $1 > 1024 THEN
        RAISE external_routine_invocation_exception USING MESSAGE = 'Length not in range';
    END IF;
    -- A random UUID has 122 random bits; the hash distributes those of two evenly over 32 bytes.
    RETURN (
        SELECT substr(string_agg(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), ''::bytea), 1, $1)
        FROM generate_series(1, ($1 + 31) / 32)
    );
END
$body$;

CREATE FUNCTION gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.gen_random_uuid();
END;

DO $do$
DECLARE
    signature text;
    result text;
    volatility text;
BEGIN
    FOR signature, result, volatility IN VALUES
        ('crypt(text, text)', 'text', 'IMMUTABLE'),
        ('gen_salt(text)', 'text', 'VOLATILE'),
        ('gen_salt(text, int4)', 'text', 'VOLATILE'),
        ('encrypt(bytea, bytea, text)', 'bytea', 'IMMUTABLE'),
        ('decrypt(bytea, bytea, text)', 'bytea', 'IMMUTABLE'),
        ('encrypt_iv(bytea, bytea, bytea, text)', 'bytea', 'IMMUTABLE'),
        ('decrypt_iv(bytea, bytea, bytea, text)', 'bytea', 'IMMUTABLE'),
        ('pgp_sym_encrypt(text, text)', 'bytea', 'VOLATILE'),
        ('pgp_sym_encrypt(text, text, text)', 'bytea', 'VOLATILE'),
        ('pgp_sym_encrypt_bytea(bytea, text)', 'bytea', 'VOLATILE'),
        ('pgp_sym_encrypt_bytea(bytea, text, text)', 'bytea', 'VOLATILE'),
        ('pgp_sym_decrypt(bytea, text)', 'text', 'IMMUTABLE'),
        ('pgp_sym_decrypt(bytea, text, text)', 'text', 'IMMUTABLE'),
        ('pgp_sym_decrypt_bytea(bytea, text)', 'bytea', 'IMMUTABLE'),
        ('pgp_sym_decrypt_bytea(bytea, text, text)', 'bytea', 'IMMUTABLE'),
        ('pgp_pub_encrypt(text, bytea)', 'bytea', 'VOLATILE'),
        ('pgp_pub_encrypt(text, bytea, text)', 'bytea', 'VOLATILE'),
        ('pgp_pub_encrypt_bytea(bytea, bytea)', 'bytea', 'VOLATILE'),
        ('pgp_pub_encrypt_bytea(bytea, bytea, text)', 'bytea', 'VOLATILE'),
        ('pgp_pub_decrypt(bytea, bytea)', 'text', 'IMMUTABLE'),
        ('pgp_pub_decrypt(bytea, bytea, text)', 'text', 'IMMUTABLE'),
        ('pgp_pub_decrypt(bytea, bytea, text, text)', 'text', 'IMMUTABLE'),
        ('pgp_pub_decrypt_bytea(bytea, bytea)', 'bytea', 'IMMUTABLE'),
        ('pgp_pub_decrypt_bytea(bytea, bytea, text)', 'bytea', 'IMMUTABLE'),
        ('pgp_pub_decrypt_bytea(bytea, bytea, text, text)', 'bytea', 'IMMUTABLE'),
        ('pgp_key_id(bytea)', 'text', 'IMMUTABLE'),
        ('armor(bytea)', 'text', 'IMMUTABLE'),
        ('armor(bytea, text[], text[])', 'text', 'IMMUTABLE'),
        ('dearmor(text)', 'bytea', 'IMMUTABLE'),
        ('pgp_armor_headers(text, OUT key text, OUT value text)', 'SETOF record', 'IMMUTABLE')
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION %s RETURNS %s LANGUAGE plpgsql %s STRICT PARALLEL SAFE AS %L',
            signature, result, volatility,
            pg_catalog.format(
                -- An SQLSTATE of our own, because the statement is right (tasks/runner/planning/hints.py).
                'BEGIN RAISE EXCEPTION USING ERRCODE = ''MS001'', MESSAGE = %L; END',
                pg_catalog.split_part(signature, '(', 1) OPERATOR(pg_catalog.||)
                    '() is not in the embedded server''s stand-in for the extension pgcrypto'
            )
        );
    END LOOP;
END
$do$;
