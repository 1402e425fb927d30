"""Users as Supabase Auth keeps them, one of each kind, for tests."""

HASH = "$2a$10$05xihnTkqnzfXj3dl.wGZ.ft0PKbkKvago7WpUB3QV2T39zbBpsVy"
#: What it is the hash of.
PASSWORD = "correct horse"
ARGON2 = "$argon2id$v=19$m=64,t=4,p=8$Z2liZXJyaXNo$iGXEpMBTDYQ8G/71tF0qGjxRHEmR3gpGULcE93zUJVU"
#: An id by its number.
ID = "00000000-0000-4000-8000-0000000000{:02}".format

#: Every kind of user; its number is the last part of its id.
SQL = f"""
INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at, phone, phone_confirmed_at, created_at,
  raw_app_meta_data, raw_user_meta_data, banned_until, deleted_at, is_sso_user, is_anonymous) VALUES
('{ID(1)}', 'ann@example.com', '{HASH}', '2024-01-01', NULL, NULL, '2024-01-01 10:00:00.5+00',
  '{{"provider": "email", "providers": ["email", "google"], "role": "admin"}}',
  '{{"full_name": "Ann van Lee#1234", "avatar_url": "https://a.example/1.png"}}', NULL, NULL, false, false),
('{ID(2)}', 'ben@example.com', '', NULL, NULL, NULL, '2024-01-02', '{{}}', '{{"first_name": " Ben ", "name": "B"}}',
  NULL, NULL, false, false),
('{ID(3)}', NULL, NULL, NULL, '6281234567', '2024-01-03', '2024-01-03', '{{"provider": "phone"}}', NULL,
  NULL, NULL, false, false),
('{ID(4)}', '', '', NULL, NULL, NULL, '2024-01-04', '{{}}', '{{}}', NULL, NULL, false, true),
('{ID(5)}', 'gone@example.com', '{HASH}', '2024-01-05', NULL, NULL, '2024-01-05', '{{}}', '{{}}', NULL, '2024-02-01',
  false, false),
('{ID(6)}', 'ever@example.com', '{HASH}', '2024-01-06', NULL, NULL, '2024-01-06', '{{}}', '{{}}',
  now() + interval '100 years', NULL, false, false),
('{ID(7)}', 'soon@example.com', NULL, '2024-01-07', NULL, NULL, '2024-01-07', '{{}}', '{{}}',
  '2031-01-01', NULL, false, false),
('{ID(8)}', 'past@example.com', '{ARGON2}', '2024-01-08', NULL, NULL, '2024-01-08', '{{}}', '{{}}',
  '2020-01-01', NULL, false, false),
('{ID(9)}', 'ANN@example.com', NULL, '2024-01-09', NULL, NULL, '2023-01-09', '{{}}', '{{}}', NULL, NULL, true, false),
('{ID(10)}', NULL, '', NULL, '', NULL, 'infinity', '[1]', '"x"', NULL, NULL, false, false),
('{ID(11)}', 'odd@example.com', '$fbscrypt$v=1,n=14,r=8,p=1$x$y', '2024-01-11', '6281111', NULL, NULL, NULL,
  jsonb_build_object('long', repeat('ä', 5000)), NULL, NULL, false, false),
('{ID(13)}', 'sso@example.com', NULL, '2024-01-13', NULL, NULL, '2024-01-13', '{{}}', '{{}}', NULL, NULL, true, false),
('{ID(12)}', '"a,b"@example.com', NULL, '2024-01-12', NULL, NULL, '2024-01-12', '[1]', NULL, NULL, NULL, false, false);
INSERT INTO auth.identities (id, provider_id, user_id, identity_data, provider, created_at) VALUES
('10000000-0000-4000-8000-000000000001', '{ID(1)}', '{ID(1)}', '{{"email": "old@example.com"}}', 'email', '2024-01-01'),
('10000000-0000-4000-8000-000000000002', '1098', '{ID(1)}', '{{"sub": "1098"}}', 'google', '2024-01-02'),
('10000000-0000-4000-8000-000000000003', '{ID(2)}', '{ID(2)}', '{{"email": "ben@example.com"}}', 'email', '2024-01-02'),
('10000000-0000-4000-8000-000000000004', '{ID(3)}', '{ID(3)}', '{{"phone": "6281234567"}}', 'phone', '2024-01-03'),
('10000000-0000-4000-8000-000000000005', '{ID(6)}', '{ID(6)}', '{{}}', 'email', '2024-01-06'),
('10000000-0000-4000-8000-000000000006', 'oid-7', '{ID(7)}', '{{}}', 'azure', '2024-01-07'),
('10000000-0000-4000-8000-000000000007', 'ann@idp', '{ID(9)}', '{{}}', 'sso:5d1f', '2024-01-09');
"""
