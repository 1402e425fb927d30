-- Functions that several stand-ins use. The superuser owns them. They run with the rights of their caller.
GRANT USAGE ON SCHEMA supavex TO PUBLIC;

-- Raises, as the body of a function that a stand-in only declares.
CREATE FUNCTION unavailable(what text) RETURNS void LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'feature_not_supported',
    MESSAGE = what || ' is not available where migration files are replayed',
    HINT = 'supavex stands in for that extension. A live database (database_url) has the values.';
END $$;

-- FIPS 180-4, section 6.1.
CREATE FUNCTION sha1(data bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  mask CONSTANT bigint := 4294967295;
  padded bytea := data || '\x80'::bytea
    || decode(repeat('00', ((119 - length(data) % 64) % 64)), 'hex') || int8send(length(data)::bigint * 8);
  h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102; h3 bigint := 271733878;
  h4 bigint := 3285377520;
  w bigint[];
  a bigint; b bigint; c bigint; d bigint; e bigint; x bigint;
BEGIN
  FOR place IN 0 .. length(padded) / 64 - 1 LOOP
    FOR i IN 0 .. 15 LOOP
      w[i] := (get_byte(padded, place * 64 + i * 4)::bigint << 24) | (get_byte(padded, place * 64 + i * 4 + 1) << 16)
        | (get_byte(padded, place * 64 + i * 4 + 2) << 8) | get_byte(padded, place * 64 + i * 4 + 3);
    END LOOP;
    FOR i IN 16 .. 79 LOOP
      x := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
      w[i] := ((x << 1) | (x >> 31)) & mask;
    END LOOP;
    a := h0; b := h1; c := h2; d := h3; e := h4;
    FOR i IN 0 .. 79 LOOP
      IF i < 20 THEN
        x := ((b & c) | (~b & mask & d)) + 1518500249;
      ELSIF i < 40 THEN
        x := (b # c # d) + 1859775393;
      ELSIF i < 60 THEN
        x := ((b & c) | (b & d) | (c & d)) + 2400959708;
      ELSE
        x := (b # c # d) + 3395469782;
      END IF;
      x := (x + (((a << 5) | (a >> 27)) & mask) + e + w[i]) & mask;
      e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := x;
    END LOOP;
    h0 := (h0 + a) & mask; h1 := (h1 + b) & mask; h2 := (h2 + c) & mask; h3 := (h3 + d) & mask;
    h4 := (h4 + e) & mask;
  END LOOP;
  RETURN substr(int8send(h0), 5) || substr(int8send(h1), 5) || substr(int8send(h2), 5) || substr(int8send(h3), 5)
    || substr(int8send(h4), 5);
END $$;

CREATE FUNCTION digest(data bytea, kind text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
BEGIN
  CASE lower(kind)
    WHEN 'md5' THEN RETURN decode(md5(data), 'hex');
    WHEN 'sha1' THEN RETURN supavex.sha1(data);
    WHEN 'sha224' THEN RETURN sha224(data);
    WHEN 'sha256' THEN RETURN sha256(data);
    WHEN 'sha384' THEN RETURN sha384(data);
    WHEN 'sha512' THEN RETURN sha512(data);
    ELSE
      RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('Cannot use "%s": No such hash algorithm', kind),
        HINT = 'Where migration files are replayed there are md5, sha1, sha224, sha256, sha384 and sha512.';
  END CASE;
END $$;

-- RFC 2104.
CREATE FUNCTION hmac(data bytea, key bytea, kind text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  size CONSTANT int := CASE WHEN lower(kind) IN ('sha384', 'sha512') THEN 128 ELSE 64 END;
  whole bytea := CASE WHEN length(key) > size THEN supavex.digest(key, kind) ELSE key END;
  inner_pad bytea := decode(repeat('36', size), 'hex');
  outer_pad bytea := decode(repeat('5c', size), 'hex');
BEGIN
  FOR i IN 0 .. length(whole) - 1 LOOP
    inner_pad := set_byte(inner_pad, i, get_byte(whole, i) # 54);
    outer_pad := set_byte(outer_pad, i, get_byte(whole, i) # 92);
  END LOOP;
  RETURN supavex.digest(outer_pad || supavex.digest(inner_pad || data, kind), kind);
END $$;

-- Random bytes: the bytes of random UUIDs, without the six bits that are fixed.
CREATE FUNCTION random_bytes(size int) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
BEGIN
  RETURN substr((SELECT string_agg(substr(uuid_send(gen_random_uuid()), 10), ''::bytea)
                 FROM generate_series(0, size / 7)), 1, size);
END $$;

-- The characters of crypt()'s own base 64, six bits each, lowest first.
CREATE FUNCTION crypt_text(bits bigint, size int) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT pg_catalog.string_agg(pg_catalog.substr(
    './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    ((bits OPERATOR(pg_catalog.>>) (6 OPERATOR(pg_catalog.*) i)) OPERATOR(pg_catalog.&) 63)::int4
      OPERATOR(pg_catalog.+) 1, 1), '' ORDER BY i)
  FROM pg_catalog.generate_series(0, size OPERATOR(pg_catalog.-) 1) AS i
$$;

-- A salt for crypt(). 0 rounds: the default of the kind.
CREATE FUNCTION salt(kind text, rounds int) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  number bigint := 0;
  random CONSTANT bytea := supavex.random_bytes(6);
BEGIN
  CASE lower(kind)
    WHEN 'md5', 'des' THEN
      IF rounds NOT IN (0, CASE lower(kind) WHEN 'md5' THEN 1000 ELSE 25 END) THEN
        RAISE EXCEPTION 'gen_salt: Incorrect number of rounds' USING ERRCODE = 'invalid_parameter_value';
      END IF;
      FOR i IN 0 .. 5 LOOP number := (number << 8) | get_byte(random, i); END LOOP;
      RETURN CASE lower(kind) WHEN 'md5' THEN '$1$' || supavex.crypt_text(number, 8)
             ELSE supavex.crypt_text(number, 2) END;
    WHEN 'bf' THEN
      IF rounds <> 0 AND rounds NOT BETWEEN 4 AND 31 THEN
        RAISE EXCEPTION 'gen_salt: Incorrect number of rounds' USING ERRCODE = 'invalid_parameter_value';
      END IF;
      RETURN '$2a$' || lpad(CASE rounds WHEN 0 THEN 6 ELSE rounds END::text, 2, '0') || '$'
        || substr(translate(encode(supavex.random_bytes(16), 'base64'),
          'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
          './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'), 1, 22);
    WHEN 'xdes', 'sha256crypt', 'sha512crypt' THEN
      PERFORM supavex.unavailable(format('gen_salt(%L)', kind));
    ELSE
      RAISE EXCEPTION 'gen_salt: Unknown salt algorithm' USING ERRCODE = 'invalid_parameter_value';
  END CASE;
END $$;

-- MD5-based crypt, as FreeBSD has it ($1$).
CREATE FUNCTION md5_crypt(password text, setting text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  secret CONSTANT bytea := convert_to(password, 'UTF8');
  salt CONSTANT bytea := convert_to(substr(split_part(substr(setting, 4), '$', 1), 1, 8), 'UTF8');
  size CONSTANT int := length(secret);
  mixed bytea := decode(md5(secret || salt || secret), 'hex');
  made bytea := secret || '$1$'::bytea || salt;
  bit int := size;
BEGIN
  FOR i IN 0 .. (size - 1) / 16 LOOP
    made := made || substr(mixed, 1, least(16, size - i * 16));
  END LOOP;
  WHILE bit > 0 LOOP
    made := made || CASE WHEN bit % 2 = 1 THEN '\x00'::bytea ELSE substr(secret, 1, 1) END;
    bit := bit / 2;
  END LOOP;
  made := decode(md5(made), 'hex');
  FOR i IN 0 .. 999 LOOP
    mixed := CASE WHEN i % 2 = 1 THEN secret ELSE made END;
    IF i % 3 <> 0 THEN mixed := mixed || salt; END IF;
    IF i % 7 <> 0 THEN mixed := mixed || secret; END IF;
    made := decode(md5(mixed || CASE WHEN i % 2 = 1 THEN made ELSE secret END), 'hex');
  END LOOP;
  RETURN '$1$' || convert_from(salt, 'UTF8') || '$' || (
    SELECT string_agg(supavex.crypt_text(
      (get_byte(made, first)::bigint << 16) | (get_byte(made, second) << 8) | get_byte(made, third), 4), '' ORDER BY n)
    FROM (VALUES (1, 0, 6, 12), (2, 1, 7, 13), (3, 2, 8, 14), (4, 3, 9, 15), (5, 4, 10, 5))
      AS order_of (n, first, second, third))
    || supavex.crypt_text(get_byte(made, 11), 2);
END $$;

-- bcrypt. The session's client computes it (password_hashes.py). The request is a message, which no setting suppresses. The
-- client writes the answer into a table.
CREATE UNLOGGED TABLE password_hashes (question bytea PRIMARY KEY, hash text NOT NULL);
CREATE FUNCTION bcrypt(password text, setting text) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked CONSTANT text :=
    encode(substr(convert_to(password, 'UTF8'), 1, 72), 'hex') || ' ' || substr(setting, 1, 29);
  found text;
  until CONSTANT timestamptz := clock_timestamp() + interval '30 seconds';
BEGIN
  IF setting !~ '^\$2a\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{22}' THEN
    RAISE EXCEPTION 'invalid salt' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT hash INTO found FROM supavex.password_hashes WHERE question = sha256(convert_to(asked, 'UTF8'));
  -- A transaction above READ COMMITTED would not see the answer, because its snapshot is older.
  IF found IS NULL AND current_setting('supavex.answers', true) = 'on' AND substr(setting, 5, 2) <= '14'
    AND current_setting('transaction_isolation') IN ('read committed', 'read uncommitted')
  THEN
    RAISE INFO USING ERRCODE = 'SVX01', MESSAGE = asked;
    WHILE found IS NULL AND clock_timestamp() < until LOOP
      PERFORM pg_sleep(0.0005);
      SELECT hash INTO found FROM supavex.password_hashes WHERE question = sha256(convert_to(asked, 'UTF8'));
    END LOOP;
  END IF;
  IF found IS NULL THEN
    PERFORM supavex.unavailable('crypt() with Blowfish (bf)');
  END IF;
  RETURN found;
END $$;

-- OpenPGP's checksum, RFC 4880, section 6.1.
CREATE FUNCTION crc24(data bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  crc int := 11994318;
BEGIN
  FOR i IN 0 .. length(data) - 1 LOOP
    crc := crc # (get_byte(data, i) << 16);
    FOR bit IN 1 .. 8 LOOP
      crc := crc << 1;
      IF crc & 16777216 <> 0 THEN crc := crc # 25578747; END IF;
    END LOOP;
  END LOOP;
  RETURN substr(int4send(crc & 16777215), 2);
END $$;

-- RFC 9562, section 5.1: a time in steps of 100 ns since 1582-10-15, a random clock sequence, and a random node.
CREATE FUNCTION uuid_v1() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  moment CONSTANT bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 10 + 122192928000000000
    + get_byte(supavex.random_bytes(1), 0) % 10;
  node CONSTANT bytea := supavex.random_bytes(8);
BEGIN
  RETURN encode(substr(int8send(moment), 5, 4) || substr(int8send(moment), 3, 2)
    || set_byte(substr(int8send(moment), 1, 2), 0, (get_byte(int8send(moment), 0) & 15) | 16)
    || set_byte(set_byte(node, 0, (get_byte(node, 0) & 63) | 128), 2, get_byte(node, 2) | 1), 'hex')::uuid;
END $$;

-- RFC 9562, sections 5.3 and 5.5.
CREATE FUNCTION uuid_of_name(namespace uuid, name text, version int) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  hash bytea := substr(supavex.digest(
    uuid_send(namespace) || convert_to(name, 'UTF8'), CASE version WHEN 3 THEN 'md5' ELSE 'sha1' END), 1, 16);
BEGIN
  hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | (version << 4));
  RETURN encode(set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END $$;

-- ALTER EXTENSION … SET SCHEMA requires the ownership of each object, and objects of C code belong to the superuser. Only
-- the extension's owner may move it, and only into a schema where the owner may create.
CREATE FUNCTION move_extension(name text, target text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF target LIKE 'pg\_%' OR target IN ('information_schema', 'supavex')
    OR NOT coalesce(has_schema_privilege(session_user, to_regnamespace(quote_ident(target)), 'CREATE'), true)
  THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied for schema ' || target;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_roles r ON r.oid = e.extowner
                 WHERE e.extname = move_extension.name AND r.rolname = session_user) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'must be owner of extension ' || name;
  END IF;
  EXECUTE pg_catalog.format('ALTER EXTENSION %I SET SCHEMA %I', name, target);
END $$;

-- The base of the domain that replaces a type which no file makes. It keeps the text that was written.
CREATE TYPE unknown_type;
CREATE FUNCTION unknown_in(cstring) RETURNS unknown_type LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION unknown_out(unknown_type) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION unknown_recv(internal) RETURNS unknown_type LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textrecv';
CREATE FUNCTION unknown_send(unknown_type) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textsend';
CREATE TYPE unknown_type (INPUT = unknown_in, OUTPUT = unknown_out, RECEIVE = unknown_recv, SEND = unknown_send,
  LIKE = pg_catalog.text);
CREATE CAST (pg_catalog.text AS unknown_type) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (unknown_type AS pg_catalog.text) WITHOUT FUNCTION AS ASSIGNMENT;
