-- The functions of uuid-ossp 1.1 (https://www.postgresql.org/docs/current/uuid-ossp.html) in SQL and PL/pgSQL, for the embedded server.
--
-- Names are resolved when a function is created (BEGIN ATOMIC) or in pg_catalog only (SET search_path), and each function and
-- operator is qualified: no object of a user is called, and the extension can be moved to another schema.
-- Needs PostgreSQL 18, because it casts bytea to bigint.

CREATE FUNCTION uuid_nil() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid;
END;

-- The name spaces of RFC 4122, appendix C.
CREATE FUNCTION uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;
END;

CREATE FUNCTION uuid_ns_url() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;
END;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;
END;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;
END;

-- The node is the same in all sessions of a server, but not the address of a network card: its multicast bit is set (RFC 4122, 4.5).
CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    -- Since 1582-10-15 in units of 100 ns, with the version in the four bits before it.
    ticks bytea := int8send((extract(epoch FROM clock_timestamp() AT TIME ZONE 'UTC' - '1582-10-15') * 10000000)::bigint
        + get_byte(uuid_send(gen_random_uuid()), 0) % 10 + (1::bigint << 60));
    node bytea := substr(decode(md5(extract(epoch FROM pg_postmaster_start_time())::text), 'hex'), 1, 6);
BEGIN
    -- Bytes 9 and 10 of a random UUID are the variant and 14 random bits, as the clock sequence needs them.
    RETURN encode(substr(ticks, 5, 4) || substr(ticks, 3, 2) || substr(ticks, 1, 2) || substr(uuid_send(gen_random_uuid()), 9, 2)
        || set_byte(node, 0, get_byte(node, 0) | 3), 'hex')::uuid;
END
$body$;

CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    ticks bytea := int8send((extract(epoch FROM clock_timestamp() AT TIME ZONE 'UTC' - '1582-10-15') * 10000000)::bigint
        + get_byte(uuid_send(gen_random_uuid()), 0) % 10 + (1::bigint << 60));
    node bytea := substr(uuid_send(gen_random_uuid()), 11, 6);
BEGIN
    RETURN encode(substr(ticks, 5, 4) || substr(ticks, 3, 2) || substr(ticks, 1, 2) || substr(uuid_send(gen_random_uuid()), 9, 2)
        || set_byte(node, 0, get_byte(node, 0) | 3), 'hex')::uuid;
END
$body$;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    hash bytea := decode(md5(uuid_send($1) || convert_to($2, getdatabaseencoding())), 'hex');
BEGIN
    hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | 48);
    RETURN encode(set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END
$body$;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.gen_random_uuid();
END;

CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    message bytea := uuid_send($1) || convert_to($2, getdatabaseencoding());
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
    hash := set_byte(substr(hash, 1, 16), 6, (get_byte(hash, 6) & 15) | 80);
    RETURN encode(set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END
$body$;
