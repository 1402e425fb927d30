-- The objects of a new Supabase project's database, as far as migrations rely on them. The superuser (supabase_admin) runs
-- this file once, in a new temporary server. The role postgres, which replays the project's files, is not a superuser, as
-- at Supabase.

CREATE ROLE postgres LOGIN CREATEROLE BYPASSRLS;
CREATE ROLE anon NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
CREATE ROLE service_role NOLOGIN BYPASSRLS;
CREATE ROLE authenticator NOINHERIT LOGIN;
CREATE ROLE dashboard_user NOLOGIN;
CREATE ROLE supabase_auth_admin NOLOGIN NOINHERIT;
CREATE ROLE supabase_storage_admin NOLOGIN NOINHERIT;
CREATE ROLE supabase_functions_admin NOLOGIN NOINHERIT;
CREATE ROLE supabase_replication_admin NOLOGIN;
CREATE ROLE supabase_read_only_user NOLOGIN BYPASSRLS;
CREATE ROLE supabase_realtime_admin NOLOGIN NOINHERIT;
CREATE ROLE supabase_etl_admin NOLOGIN;
CREATE ROLE supabase_privileged_role NOLOGIN;
CREATE ROLE pgsodium_keyiduser NOLOGIN;
CREATE ROLE pgsodium_keyholder NOLOGIN;
CREATE ROLE pgsodium_keymaker NOLOGIN;
CREATE ROLE pgbouncer NOLOGIN;
GRANT anon, authenticated, service_role TO authenticator, postgres WITH ADMIN OPTION;
-- Data dumps of the Supabase CLI begin with SET session_replication_role = replica.
GRANT SET ON PARAMETER session_replication_role TO postgres;
GRANT SET ON PARAMETER log_min_messages TO postgres;

ALTER SCHEMA public OWNER TO postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
GRANT CREATE ON DATABASE postgres TO postgres;

CREATE SCHEMA extensions AUTHORIZATION postgres;
CREATE SCHEMA auth;
CREATE SCHEMA storage;
CREATE SCHEMA realtime;
CREATE SCHEMA vault;
CREATE SCHEMA cron;
CREATE SCHEMA net;
CREATE SCHEMA graphql;
CREATE SCHEMA graphql_public;
CREATE SCHEMA supabase_functions;
CREATE SCHEMA supabase_migrations AUTHORIZATION postgres;
GRANT USAGE ON SCHEMA extensions, auth, storage, realtime, vault, cron, net, graphql, graphql_public,
  supabase_functions TO postgres, anon, authenticated, service_role;
GRANT CREATE ON SCHEMA auth, storage, realtime, cron TO postgres;
ALTER DATABASE postgres SET search_path = "$user", public, extensions;
SET search_path = "$user", public, extensions;

CREATE TYPE auth.aal_level AS ENUM ('aal1', 'aal2', 'aal3');
CREATE TABLE auth.users (
  instance_id uuid,
  id uuid PRIMARY KEY,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change_token_new varchar(255),
  email_change varchar(255),
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text UNIQUE DEFAULT NULL,
  phone_confirmed_at timestamptz,
  phone_change text DEFAULT '',
  phone_change_token varchar(255) DEFAULT '',
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
  email_change_token_current varchar(255) DEFAULT '',
  email_change_confirm_status smallint DEFAULT 0,
  banned_until timestamptz,
  reauthentication_token varchar(255) DEFAULT '',
  reauthentication_sent_at timestamptz,
  is_sso_user boolean NOT NULL DEFAULT false,
  deleted_at timestamptz,
  is_anonymous boolean NOT NULL DEFAULT false
);
CREATE TABLE auth.identities (
  provider_id text NOT NULL,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  identity_data jsonb NOT NULL,
  provider text NOT NULL,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  UNIQUE (provider_id, provider)
);
CREATE TABLE auth.sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  created_at timestamptz,
  updated_at timestamptz,
  factor_id uuid,
  aal auth.aal_level,
  not_after timestamptz,
  refreshed_at timestamp,
  user_agent text,
  ip inet,
  tag text,
  oauth_client_id uuid,
  refresh_token_hmac_key text,
  refresh_token_counter bigint,
  scopes text
);
CREATE TYPE auth.factor_type AS ENUM ('totp', 'webauthn', 'phone');
CREATE TYPE auth.factor_status AS ENUM ('unverified', 'verified');
CREATE TYPE auth.code_challenge_method AS ENUM ('s256', 'plain');
CREATE TYPE auth.one_time_token_type AS ENUM ('confirmation_token', 'reauthentication_token', 'recovery_token',
  'email_change_token_new', 'email_change_token_current', 'phone_change_token');
CREATE TYPE auth.oauth_registration_type AS ENUM ('dynamic', 'manual');
CREATE TYPE auth.oauth_client_type AS ENUM ('public', 'confidential');
CREATE TYPE auth.oauth_authorization_status AS ENUM ('pending', 'approved', 'denied', 'expired');
CREATE TYPE auth.oauth_response_type AS ENUM ('code');
CREATE TABLE auth.schema_migrations (version varchar(255) PRIMARY KEY);
CREATE TABLE auth.instances (
  id uuid PRIMARY KEY, uuid uuid, raw_base_config text, created_at timestamptz, updated_at timestamptz
);
CREATE TABLE auth.audit_log_entries (
  instance_id uuid, id uuid PRIMARY KEY, payload json, created_at timestamptz,
  ip_address varchar(64) NOT NULL DEFAULT ''
);
CREATE TABLE auth.refresh_tokens (
  instance_id uuid, id bigserial PRIMARY KEY, token varchar(255) UNIQUE, user_id varchar(255), revoked boolean,
  created_at timestamptz, updated_at timestamptz, parent varchar(255),
  session_id uuid REFERENCES auth.sessions (id) ON DELETE CASCADE
);
CREATE TABLE auth.mfa_factors (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE, friendly_name text,
  factor_type auth.factor_type NOT NULL, status auth.factor_status NOT NULL, created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, secret text, phone text, last_challenged_at timestamptz UNIQUE,
  web_authn_credential jsonb, web_authn_aaguid uuid, last_webauthn_challenge_data jsonb
);
CREATE TABLE auth.mfa_challenges (
  id uuid PRIMARY KEY, factor_id uuid NOT NULL REFERENCES auth.mfa_factors (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL, verified_at timestamptz, ip_address inet NOT NULL, otp_code text,
  web_authn_session_data jsonb
);
CREATE TABLE auth.mfa_amr_claims (
  session_id uuid NOT NULL REFERENCES auth.sessions (id) ON DELETE CASCADE, created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, authentication_method text NOT NULL, id uuid PRIMARY KEY,
  UNIQUE (session_id, authentication_method)
);
CREATE TABLE auth.sso_providers (
  id uuid PRIMARY KEY, resource_id text, created_at timestamptz, updated_at timestamptz, disabled boolean
);
CREATE TABLE auth.sso_domains (
  id uuid PRIMARY KEY, sso_provider_id uuid NOT NULL REFERENCES auth.sso_providers (id) ON DELETE CASCADE,
  domain text NOT NULL, created_at timestamptz, updated_at timestamptz
);
CREATE TABLE auth.flow_state (
  id uuid PRIMARY KEY, user_id uuid, auth_code text, code_challenge_method auth.code_challenge_method,
  code_challenge text, provider_type text NOT NULL, provider_access_token text, provider_refresh_token text,
  created_at timestamptz, updated_at timestamptz, authentication_method text NOT NULL, auth_code_issued_at timestamptz,
  invite_token text, referrer text, oauth_client_state_id uuid, linking_target_id uuid,
  email_optional boolean NOT NULL DEFAULT false
);
CREATE TABLE auth.saml_providers (
  id uuid PRIMARY KEY, sso_provider_id uuid NOT NULL REFERENCES auth.sso_providers (id) ON DELETE CASCADE,
  entity_id text NOT NULL UNIQUE, metadata_xml text NOT NULL, metadata_url text, attribute_mapping jsonb,
  created_at timestamptz, updated_at timestamptz, name_id_format text
);
CREATE TABLE auth.saml_relay_states (
  id uuid PRIMARY KEY, sso_provider_id uuid NOT NULL REFERENCES auth.sso_providers (id) ON DELETE CASCADE,
  request_id text NOT NULL, for_email text, redirect_to text, created_at timestamptz, updated_at timestamptz,
  flow_state_id uuid REFERENCES auth.flow_state (id) ON DELETE CASCADE
);
CREATE TABLE auth.one_time_tokens (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  token_type auth.one_time_token_type NOT NULL, token_hash text NOT NULL, relates_to text NOT NULL,
  created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE auth.oauth_clients (
  id uuid PRIMARY KEY, client_secret_hash text, registration_type auth.oauth_registration_type NOT NULL,
  redirect_uris text NOT NULL, grant_types text NOT NULL, client_name text, client_uri text, logo_uri text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
  client_type auth.oauth_client_type NOT NULL DEFAULT 'confidential', token_endpoint_auth_method text
);
CREATE TABLE auth.oauth_client_states (
  id uuid PRIMARY KEY, provider_type text NOT NULL, code_verifier text, created_at timestamptz NOT NULL
);
CREATE TABLE auth.oauth_authorizations (
  id uuid PRIMARY KEY, authorization_id text NOT NULL UNIQUE, client_id uuid NOT NULL REFERENCES auth.oauth_clients (id),
  user_id uuid REFERENCES auth.users (id) ON DELETE CASCADE, redirect_uri text NOT NULL, scope text NOT NULL, state text,
  resource text, code_challenge text, code_challenge_method auth.code_challenge_method,
  response_type auth.oauth_response_type NOT NULL DEFAULT 'code',
  status auth.oauth_authorization_status NOT NULL DEFAULT 'pending', authorization_code text UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL DEFAULT now() + interval '3 minutes',
  approved_at timestamptz, nonce text
);
CREATE TABLE auth.oauth_consents (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  client_id uuid NOT NULL REFERENCES auth.oauth_clients (id) ON DELETE CASCADE, scopes text NOT NULL,
  granted_at timestamptz NOT NULL DEFAULT now(), revoked_at timestamptz, UNIQUE (user_id, client_id)
);
-- A claim of the request's token. It is in a setting of its own, or in the JSON of all claims.
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
       nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
       nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role') $$;
CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
       nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email') $$;
-- NULL without a signed-in user, as at Supabase.
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''),
       nullif(current_setting('request.jwt.claims', true), ''))::jsonb $$;

CREATE TYPE storage.buckettype AS ENUM ('STANDARD', 'ANALYTICS', 'VECTOR');
CREATE TABLE storage.buckets (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  owner uuid,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  public boolean DEFAULT false,
  avif_autodetection boolean DEFAULT false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type storage.buckettype NOT NULL DEFAULT 'STANDARD'
);
CREATE TABLE storage.objects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  bucket_id text REFERENCES storage.buckets (id),
  name text,
  owner uuid,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  last_accessed_at timestamptz DEFAULT now(),
  metadata jsonb,
  path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/')) STORED,
  version text,
  owner_id text,
  user_metadata jsonb,
  level int
);
CREATE UNIQUE INDEX bucketid_objname ON storage.objects (bucket_id, name);
ALTER TABLE storage.buckets OWNER TO postgres;
ALTER TABLE storage.objects OWNER TO postgres;
CREATE FUNCTION storage.foldername(name text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
  $$ SELECT (string_to_array(name, '/'))[1 : cardinality(string_to_array(name, '/')) - 1] $$;
CREATE FUNCTION storage.filename(name text) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))] $$;
CREATE FUNCTION storage.extension(name text) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT reverse(split_part(reverse(storage.filename(name)), '.', 1)) $$;

-- The operation of the request to the storage service. A replay has no request: NULL, and false.
CREATE FUNCTION storage.operation() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('storage.operation', true) $$;
CREATE FUNCTION storage.allow_only_operation(expected_operation text) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT coalesce(storage.operation() = expected_operation, false) $$;
CREATE FUNCTION storage.allow_any_operation(expected_operations text[]) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT coalesce(storage.operation() = ANY (expected_operations), false) $$;
CREATE FUNCTION storage.get_level(name text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT cardinality(string_to_array(name, '/')) $$;
CREATE FUNCTION storage.get_prefix(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT CASE WHEN strpos(name, '/') > 0 THEN array_to_string(storage.foldername(name), '/') ELSE '' END $$;
CREATE FUNCTION storage.get_size_by_bucket() RETURNS TABLE (size bigint, bucket_id text) LANGUAGE sql STABLE AS
  $$ SELECT sum((metadata ->> 'size')::bigint)::bigint, o.bucket_id FROM storage.objects o GROUP BY o.bucket_id $$;
CREATE TABLE storage.migrations (
  id int PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, hash varchar(40) NOT NULL,
  executed_at timestamp DEFAULT current_timestamp
);
CREATE TABLE storage.prefixes (
  bucket_id text NOT NULL REFERENCES storage.buckets (id), name text NOT NULL,
  level int NOT NULL GENERATED ALWAYS AS (storage.get_level(name)) STORED,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), PRIMARY KEY (bucket_id, level, name)
);
CREATE TABLE storage.s3_multipart_uploads (
  id text PRIMARY KEY, in_progress_size bigint NOT NULL DEFAULT 0, upload_signature text NOT NULL,
  bucket_id text NOT NULL REFERENCES storage.buckets (id), key text NOT NULL, version text NOT NULL, owner_id text,
  created_at timestamptz NOT NULL DEFAULT now(), user_metadata jsonb, metadata jsonb
);
CREATE TABLE storage.s3_multipart_uploads_parts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), upload_id text NOT NULL REFERENCES storage.s3_multipart_uploads (id),
  size bigint NOT NULL DEFAULT 0, part_number int NOT NULL, bucket_id text NOT NULL REFERENCES storage.buckets (id),
  key text NOT NULL, etag text NOT NULL, owner_id text, version text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE storage.buckets_analytics (
  name text NOT NULL, type storage.buckettype NOT NULL DEFAULT 'ANALYTICS', format text NOT NULL DEFAULT 'ICEBERG',
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), deleted_at timestamptz
);
CREATE TABLE storage.buckets_vectors (
  id text PRIMARY KEY, type storage.buckettype NOT NULL DEFAULT 'VECTOR', created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE storage.vector_indexes (
  id text PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, bucket_id text NOT NULL REFERENCES storage.buckets_vectors,
  data_type text NOT NULL, dimension int NOT NULL, distance_metric text NOT NULL, metadata_configuration jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE realtime.equality_op AS ENUM ('eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'in');
CREATE TYPE realtime.action AS ENUM ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'ERROR');
CREATE TYPE realtime.user_defined_filter AS (column_name text, op realtime.equality_op, value text);
CREATE TABLE realtime.schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0));
CREATE TABLE realtime.subscription (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subscription_id uuid NOT NULL, entity regclass NOT NULL,
  filters realtime.user_defined_filter[] NOT NULL DEFAULT '{}', claims jsonb NOT NULL, claims_role regrole,
  created_at timestamp NOT NULL DEFAULT timezone('utc', now()), action_filter text DEFAULT '*'
);
CREATE TABLE realtime.messages (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  topic text NOT NULL,
  extension text NOT NULL,
  payload jsonb,
  event text,
  private boolean DEFAULT false,
  inserted_at timestamp NOT NULL DEFAULT now(),
  updated_at timestamp NOT NULL DEFAULT now(),
  PRIMARY KEY (id, inserted_at)
);
ALTER TABLE realtime.messages OWNER TO postgres;
CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT nullif(current_setting('realtime.topic', true), '')::text $$;
CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true) RETURNS void
  LANGUAGE sql AS $$ $$;
CREATE FUNCTION realtime.broadcast_changes(topic_name text, event_name text, operation text, table_name text,
  table_schema text, new record, old record, level text DEFAULT 'ROW') RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN END $$;

CREATE TABLE vault.secrets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text UNIQUE,
  description text NOT NULL DEFAULT '',
  secret text NOT NULL,
  key_id uuid,
  nonce bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE VIEW vault.decrypted_secrets AS SELECT id, name, description, secret, secret AS decrypted_secret, key_id, nonce,
  created_at, updated_at FROM vault.secrets;
CREATE FUNCTION vault.create_secret(new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '',
  new_key_id uuid DEFAULT NULL) RETURNS uuid LANGUAGE sql AS
  $$ INSERT INTO vault.secrets (secret, name, description, key_id)
     VALUES (new_secret, new_name, new_description, new_key_id) RETURNING id $$;
CREATE FUNCTION vault.update_secret(secret_id uuid, new_secret text DEFAULT NULL, new_name text DEFAULT NULL,
  new_description text DEFAULT NULL, new_key_id uuid DEFAULT NULL) RETURNS void LANGUAGE sql AS
  $$ UPDATE vault.secrets SET secret = coalesce(new_secret, secret), name = coalesce(new_name, name),
       description = coalesce(new_description, description), updated_at = now() WHERE id = secret_id $$;

-- Keys are made and named. The functions that encrypt with them are missing, so a statement that calls one fails.
CREATE SCHEMA pgsodium;
CREATE TYPE pgsodium.key_status AS ENUM ('default', 'valid', 'invalid', 'expired');
CREATE TYPE pgsodium.key_type AS ENUM ('aead-ietf', 'aead-det', 'hmacsha512', 'hmacsha256', 'auth', 'shorthash',
  'generichash', 'kdf', 'secretbox', 'secretstream', 'stream_xchacha20');
CREATE TABLE pgsodium.key (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status pgsodium.key_status DEFAULT 'valid',
  created timestamptz NOT NULL DEFAULT current_timestamp, expires timestamptz, key_type pgsodium.key_type,
  key_id bigserial, key_context bytea DEFAULT 'pgsodium', name text UNIQUE, associated_data text DEFAULT 'associated',
  raw_key bytea, raw_key_nonce bytea, parent_key uuid REFERENCES pgsodium.key (id), comment text, user_data text
);
CREATE VIEW pgsodium.valid_key AS SELECT id, name, status, key_type, key_id, key_context, created, expires,
  associated_data FROM pgsodium.key WHERE status IN ('valid', 'default') AND coalesce(expires > now(), true);
CREATE FUNCTION pgsodium.create_key(key_type pgsodium.key_type DEFAULT 'aead-det', name text DEFAULT NULL)
  RETURNS pgsodium.valid_key LANGUAGE sql AS
  $$ WITH made AS (INSERT INTO pgsodium.key (key_type, name) VALUES (key_type, name) RETURNING *)
     SELECT id, name, status, key_type, key_id, key_context, created, expires, associated_data FROM made $$;

CREATE FUNCTION graphql_public.graphql("operationName" text DEFAULT NULL, query text DEFAULT NULL,
  variables jsonb DEFAULT NULL, extensions jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS
  $$ SELECT jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('message', 'not in a replay'))) $$;

CREATE TABLE supabase_functions.migrations (version text PRIMARY KEY, inserted_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE supabase_functions.hooks (
  id bigserial PRIMARY KEY, hook_table_id int NOT NULL, hook_name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), request_id bigint
);
CREATE TABLE supabase_migrations.schema_migrations (
  version text PRIMARY KEY, statements text[], name text, created_by text, idempotency_key text UNIQUE, rollback text[]
);
CREATE TABLE supabase_migrations.seed_files (path text PRIMARY KEY, hash text NOT NULL);

-- Message queues: each has a table, and a table for its archive, as the extension pgmq makes them.
CREATE SCHEMA pgmq;
GRANT USAGE, CREATE ON SCHEMA pgmq TO postgres;
GRANT USAGE ON SCHEMA pgsodium TO postgres;
CREATE TABLE pgmq.meta (
  queue_name varchar NOT NULL UNIQUE, is_partitioned boolean NOT NULL, is_unlogged boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TYPE pgmq.message_record AS (
  msg_id bigint, read_ct int, enqueued_at timestamptz, vt timestamptz, message jsonb
);
CREATE FUNCTION pgmq.create(queue_name text) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
  EXECUTE format('CREATE TABLE IF NOT EXISTS pgmq.%I (msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, '
    'read_ct int NOT NULL DEFAULT 0, enqueued_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, '
    'message jsonb)', 'q_' || lower(queue_name));
  EXECUTE format('CREATE TABLE IF NOT EXISTS pgmq.%I (msg_id bigint PRIMARY KEY, read_ct int NOT NULL DEFAULT 0, '
    'enqueued_at timestamptz NOT NULL DEFAULT now(), archived_at timestamptz NOT NULL DEFAULT now(), '
    'vt timestamptz NOT NULL, message jsonb)', 'a_' || lower(queue_name));
  INSERT INTO pgmq.meta VALUES (queue_name, false, false) ON CONFLICT DO NOTHING;
END $f$;
CREATE FUNCTION pgmq.create_non_partitioned(queue_name text) RETURNS void LANGUAGE sql AS
  $$ SELECT pgmq.create(queue_name) $$;
CREATE FUNCTION pgmq.create_unlogged(queue_name text) RETURNS void LANGUAGE sql AS $$ SELECT pgmq.create(queue_name) $$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay int DEFAULT 0) RETURNS SETOF bigint LANGUAGE plpgsql AS
  $f$ BEGIN RETURN QUERY EXECUTE format('INSERT INTO pgmq.%I (vt, message) VALUES '
    '(clock_timestamp() + make_interval(secs => $2), $1) RETURNING msg_id', 'q_' || lower(queue_name)) USING msg, delay;
  END $f$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay int DEFAULT 0) RETURNS SETOF bigint LANGUAGE sql AS
  $$ SELECT pgmq.send(queue_name, msg, delay) FROM unnest(msgs) AS msg $$;
CREATE FUNCTION pgmq.read(queue_name text, vt int, qty int) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS
  $f$ BEGIN RETURN QUERY EXECUTE format('UPDATE pgmq.%1$I SET vt = clock_timestamp() + make_interval(secs => $1), '
    'read_ct = read_ct + 1 WHERE msg_id IN (SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id '
    'LIMIT $2) RETURNING msg_id, read_ct, enqueued_at, vt, message', 'q_' || lower(queue_name)) USING vt, qty; END $f$;
CREATE FUNCTION pgmq.pop(queue_name text) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS
  $f$ BEGIN RETURN QUERY EXECUTE format('DELETE FROM pgmq.%1$I WHERE msg_id = (SELECT msg_id FROM pgmq.%1$I '
    'WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT 1) RETURNING msg_id, read_ct, enqueued_at, vt, message',
    'q_' || lower(queue_name)); END $f$;
CREATE FUNCTION pgmq.delete(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE plpgsql AS
  $f$ DECLARE gone bigint; BEGIN
    EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = $1 RETURNING msg_id', 'q_' || lower(queue_name))
      INTO gone USING msg_id;
    RETURN gone IS NOT NULL; END $f$;
CREATE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE plpgsql AS
  $f$ DECLARE gone bigint; BEGIN
    EXECUTE format('WITH moved AS (DELETE FROM pgmq.%I WHERE msg_id = $1 RETURNING msg_id, vt, read_ct, enqueued_at, '
      'message) INSERT INTO pgmq.%I (msg_id, vt, read_ct, enqueued_at, message) SELECT * FROM moved RETURNING msg_id',
      'q_' || lower(queue_name), 'a_' || lower(queue_name)) INTO gone USING msg_id;
    RETURN gone IS NOT NULL; END $f$;
CREATE FUNCTION pgmq.list_queues() RETURNS SETOF pgmq.meta LANGUAGE sql AS $$ SELECT * FROM pgmq.meta $$;
CREATE FUNCTION pgmq.purge_queue(queue_name text) RETURNS bigint LANGUAGE plpgsql AS $f$ DECLARE gone bigint; BEGIN
  EXECUTE format('DELETE FROM pgmq.%I', 'q_' || lower(queue_name));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone; END $f$;
CREATE FUNCTION pgmq.drop_queue(queue_name text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
  EXECUTE format('DROP TABLE IF EXISTS pgmq.%I, pgmq.%I', 'q_' || lower(queue_name), 'a_' || lower(queue_name));
  DELETE FROM pgmq.meta m WHERE m.queue_name = drop_queue.queue_name;
  RETURN FOUND; END $f$;

CREATE TABLE cron.job (
  jobid bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  schedule text NOT NULL,
  command text NOT NULL,
  nodename text NOT NULL DEFAULT 'localhost',
  nodeport int NOT NULL DEFAULT 5432,
  database text NOT NULL DEFAULT current_database(),
  username text NOT NULL DEFAULT current_user,
  active boolean NOT NULL DEFAULT true,
  jobname text UNIQUE
);
CREATE TABLE cron.job_run_details (
  jobid bigint, runid bigint, job_pid int, database text, username text, command text, status text,
  return_message text, start_time timestamptz, end_time timestamptz
);
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS
  $$ INSERT INTO cron.job (jobname, schedule, command) VALUES (job_name, schedule, command)
     ON CONFLICT (jobname) DO UPDATE SET schedule = excluded.schedule, command = excluded.command RETURNING jobid $$;
CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint LANGUAGE sql AS
  $$ INSERT INTO cron.job (schedule, command) VALUES (schedule, command) RETURNING jobid $$;
CREATE FUNCTION cron.schedule_in_database(job_name text, schedule text, command text, database text,
  username text DEFAULT NULL, active boolean DEFAULT true) RETURNS bigint LANGUAGE sql AS
  $$ SELECT cron.schedule(job_name, schedule, command) $$;
CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL,
  database text DEFAULT NULL, username text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void LANGUAGE sql AS
  $$ UPDATE cron.job j SET schedule = coalesce(alter_job.schedule, j.schedule),
       command = coalesce(alter_job.command, j.command), active = coalesce(alter_job.active, j.active)
     WHERE jobid = job_id $$;
CREATE FUNCTION cron.unschedule(job_name text) RETURNS boolean LANGUAGE sql AS
  $$ DELETE FROM cron.job WHERE jobname = job_name; SELECT true $$;
CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS
  $$ DELETE FROM cron.job WHERE jobid = job_id; SELECT true $$;
-- Nothing leaves the machine. The request functions only return an id.
CREATE FUNCTION net.http_post(url text, body jsonb DEFAULT '{}', params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}',
  timeout_milliseconds int DEFAULT 5000) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE FUNCTION net.http_get(url text, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}',
  timeout_milliseconds int DEFAULT 5000) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE FUNCTION net.http_delete(url text, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}',
  timeout_milliseconds int DEFAULT 5000, body jsonb DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE UNLOGGED TABLE net._http_response (
  id bigint, status_code int, content_type text, headers jsonb, content text, timed_out bool, error_msg text,
  created timestamptz NOT NULL DEFAULT now()
);
CREATE UNLOGGED TABLE net.http_request_queue (
  id bigserial, method text NOT NULL, url text NOT NULL, headers jsonb, body bytea, timeout_milliseconds int NOT NULL
);
CREATE FUNCTION supabase_functions.http_request() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;

-- The extensions of a new project. The role that replays the files owns them, and may drop them.
CREATE EXTENSION supavex;
SET ROLE postgres;
CREATE EXTENSION "uuid-ossp" SCHEMA extensions;
CREATE EXTENSION pgcrypto SCHEMA extensions;
CREATE EXTENSION pg_stat_statements SCHEMA extensions;
CREATE EXTENSION supabase_vault SCHEMA vault;
CREATE EXTENSION pg_graphql SCHEMA graphql;
RESET ROLE;

-- Migrations create triggers on auth.users and change storage. So the role that replays them owns these tables.
DO $$ DECLARE found regclass; BEGIN
  FOR found IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname IN ('auth', 'storage', 'realtime', 'supabase_functions', 'supabase_migrations')
  LOOP EXECUTE format('ALTER TABLE %s OWNER TO postgres', found); END LOOP;
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA auth, storage, realtime, vault, cron, net, pgsodium, pgmq TO postgres;
GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA cron, net, pgsodium TO postgres;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA auth, storage, realtime, vault, cron, net, extensions TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
CREATE PUBLICATION supabase_realtime;
ALTER PUBLICATION supabase_realtime OWNER TO postgres;
CREATE PUBLICATION supabase_realtime_messages_publication FOR TABLE realtime.messages;
ALTER PUBLICATION supabase_realtime_messages_publication OWNER TO postgres;
