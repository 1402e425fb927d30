-- Names, arguments and volatility are those of PostgreSQL's pgcrypto. A function that has a body here gives pgcrypto's
-- values, byte by byte. The others raise.
CREATE FUNCTION digest(text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.digest(pg_catalog.convert_to($1, 'UTF8'), $2) $$;
CREATE FUNCTION digest(bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.digest($1, $2) $$;
CREATE FUNCTION hmac(text, text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.hmac(pg_catalog.convert_to($1, 'UTF8'), pg_catalog.convert_to($2, 'UTF8'), $3) $$;
CREATE FUNCTION hmac(bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.hmac($1, $2, $3) $$;
CREATE FUNCTION gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS
  $$ SELECT pg_catalog.gen_random_uuid() $$;
CREATE FUNCTION gen_random_bytes(int4) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
BEGIN
  IF $1 NOT BETWEEN 1 AND 1024 THEN
    RAISE EXCEPTION 'Length not in range' USING ERRCODE = 'external_routine_invocation_exception';
  END IF;
  RETURN supavex.random_bytes($1);
END $$;

CREATE FUNCTION gen_salt(text) RETURNS text LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.salt($1, 0) $$;
CREATE FUNCTION gen_salt(text, int4) RETURNS text LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS
  $$ SELECT supavex.salt($1, $2) $$;
CREATE FUNCTION crypt(text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog AS $$
BEGIN
  IF starts_with($2, '$1$') THEN
    RETURN supavex.md5_crypt($1, $2);
  ELSIF starts_with($2, '$2a$') THEN
    RETURN supavex.bcrypt($1, $2);
  END IF;
  PERFORM supavex.unavailable(CASE WHEN starts_with($2, '$2') THEN 'crypt() with Blowfish (bf)'
    WHEN starts_with($2, '$5$') OR starts_with($2, '$6$') THEN 'crypt() with SHA' ELSE 'crypt() with DES' END);
END $$;

CREATE FUNCTION armor(bytea, text[], text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  body text := encode($1, 'base64');
  headers text;
BEGIN
  IF cardinality($2) <> cardinality($3) THEN
    RAISE EXCEPTION 'mismatched array dimensions' USING ERRCODE = 'array_subscript_error';
  END IF;
  SELECT string_agg(key || ': ' || value || E'\n', '' ORDER BY n) INTO headers
  FROM unnest($2, $3) WITH ORDINALITY AS given (key, value, n);
  RETURN E'-----BEGIN PGP MESSAGE-----\n' || coalesce(headers, '') || E'\n'
    || CASE WHEN body = '' OR body LIKE E'%\n' THEN body ELSE body || E'\n' END
    || '=' || encode(supavex.crc24($1), 'base64') || E'\n-----END PGP MESSAGE-----\n';
END $$;
CREATE FUNCTION armor(bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  body text := encode($1, 'base64');
BEGIN
  RETURN E'-----BEGIN PGP MESSAGE-----\n\n'
    || CASE WHEN body = '' OR body LIKE E'%\n' THEN body ELSE body || E'\n' END
    || '=' || encode(supavex.crc24($1), 'base64') || E'\n-----END PGP MESSAGE-----\n';
END $$;
CREATE FUNCTION dearmor(text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog AS $$
DECLARE
  parts CONSTANT text[] := regexp_match($1,
    '-----BEGIN [^\n]*-----[ \t]*\r?\n(?:[^\n]*[^\r\n][^\n]*\n)*?\r?\n([A-Za-z0-9+/=\s]*?)=([A-Za-z0-9+/]{4})\s*-----END ');
  data bytea;
BEGIN
  data := decode(parts[1], 'base64');
  IF data IS NULL OR supavex.crc24(data) <> decode(parts[2], 'base64') THEN
    RAISE EXCEPTION 'Corrupt ascii-armor' USING ERRCODE = 'external_routine_invocation_exception';
  END IF;
  RETURN data;
END $$;

-- The functions that encrypt and decrypt: no cipher is written here.
CREATE FUNCTION encrypt(bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('encrypt()'); END $$;
CREATE FUNCTION decrypt(bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('decrypt()'); END $$;
CREATE FUNCTION encrypt_iv(bytea, bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('encrypt_iv()'); END $$;
CREATE FUNCTION decrypt_iv(bytea, bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('decrypt_iv()'); END $$;
CREATE FUNCTION pgp_sym_encrypt(text, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_encrypt()'); END $$;
CREATE FUNCTION pgp_sym_encrypt(text, text, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_encrypt()'); END $$;
CREATE FUNCTION pgp_sym_encrypt_bytea(bytea, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_encrypt_bytea()'); END $$;
CREATE FUNCTION pgp_sym_encrypt_bytea(bytea, text, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_encrypt_bytea()'); END $$;
CREATE FUNCTION pgp_sym_decrypt(bytea, text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_decrypt()'); END $$;
CREATE FUNCTION pgp_sym_decrypt(bytea, text, text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_decrypt()'); END $$;
CREATE FUNCTION pgp_sym_decrypt_bytea(bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_decrypt_bytea()'); END $$;
CREATE FUNCTION pgp_sym_decrypt_bytea(bytea, text, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_sym_decrypt_bytea()'); END $$;
CREATE FUNCTION pgp_pub_encrypt(text, bytea) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_encrypt()'); END $$;
CREATE FUNCTION pgp_pub_encrypt(text, bytea, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_encrypt()'); END $$;
CREATE FUNCTION pgp_pub_encrypt_bytea(bytea, bytea) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_encrypt_bytea()'); END $$;
CREATE FUNCTION pgp_pub_encrypt_bytea(bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_encrypt_bytea()'); END $$;
CREATE FUNCTION pgp_pub_decrypt(bytea, bytea) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt()'); END $$;
CREATE FUNCTION pgp_pub_decrypt(bytea, bytea, text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt()'); END $$;
CREATE FUNCTION pgp_pub_decrypt(bytea, bytea, text, text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt()'); END $$;
CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt_bytea()'); END $$;
CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt_bytea()'); END $$;
CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea, text, text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_pub_decrypt_bytea()'); END $$;
CREATE FUNCTION pgp_key_id(bytea) RETURNS text
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_key_id()'); END $$;
CREATE FUNCTION pgp_armor_headers(text, OUT key text, OUT value text) RETURNS SETOF record
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('pgp_armor_headers()'); END $$;
