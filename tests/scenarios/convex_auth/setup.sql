-- One user of each kind, and rows that refer to them.
INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at, phone, phone_confirmed_at, created_at,
  raw_app_meta_data, raw_user_meta_data, banned_until, deleted_at, is_sso_user, is_anonymous) VALUES
('00000000-0000-4000-8000-000000000001', 'ann@example.com', '$2a$10$05xihnTkqnzfXj3dl.wGZ.ft0PKbkKvago7WpUB3QV2T39zbBpsVy', '2024-01-01', NULL, NULL, '2024-01-01 10:00:00.5+00',
  '{"provider": "email", "providers": ["email", "google"], "role": "admin"}',
  '{"full_name": "Ann van Lee#1234", "avatar_url": "https://a.example/1.png"}', NULL, NULL, false, false),
('00000000-0000-4000-8000-000000000002', 'ben@example.com', '', NULL, NULL, NULL, '2024-01-02', '{}', '{"first_name": " Ben ", "name": "B"}',
  NULL, NULL, false, false),
('00000000-0000-4000-8000-000000000003', NULL, NULL, NULL, '6281234567', '2024-01-03', '2024-01-03', '{"provider": "phone"}', NULL,
  NULL, NULL, false, false),
('00000000-0000-4000-8000-000000000004', '', '', NULL, NULL, NULL, '2024-01-04', '{}', '{}', NULL, NULL, false, true),
('00000000-0000-4000-8000-000000000005', 'gone@example.com', '$2a$10$05xihnTkqnzfXj3dl.wGZ.ft0PKbkKvago7WpUB3QV2T39zbBpsVy', '2024-01-05', NULL, NULL, '2024-01-05', '{}', '{}', NULL, '2024-02-01',
  false, false),
('00000000-0000-4000-8000-000000000006', 'ever@example.com', '$2a$10$05xihnTkqnzfXj3dl.wGZ.ft0PKbkKvago7WpUB3QV2T39zbBpsVy', '2024-01-06', NULL, NULL, '2024-01-06', '{}', '{}',
  '2126-01-01', NULL, false, false),
('00000000-0000-4000-8000-000000000007', 'soon@example.com', NULL, '2024-01-07', NULL, NULL, '2024-01-07', '{}', '{}',
  '2031-01-01', NULL, false, false),
('00000000-0000-4000-8000-000000000008', 'past@example.com', '$argon2id$v=19$m=64,t=4,p=8$Z2liZXJyaXNo$iGXEpMBTDYQ8G/71tF0qGjxRHEmR3gpGULcE93zUJVU', '2024-01-08', NULL, NULL, '2024-01-08', '{}', '{}',
  '2020-01-01', NULL, false, false),
('00000000-0000-4000-8000-000000000009', 'ANN@example.com', NULL, '2024-01-09', NULL, NULL, '2023-01-09', '{}', '{}', NULL, NULL, true, false),
('00000000-0000-4000-8000-000000000010', NULL, '', NULL, '', NULL, 'infinity', '[1]', '"x"', NULL, NULL, false, false),
('00000000-0000-4000-8000-000000000011', 'odd@example.com', '$fbscrypt$v=1,n=14,r=8,p=1$x$y', '2024-01-11', '6281111', NULL, NULL, NULL,
  jsonb_build_object('long', repeat('ä', 5000)), NULL, NULL, false, false),
('00000000-0000-4000-8000-000000000013', 'sso@example.com', NULL, '2024-01-13', NULL, NULL, '2024-01-13', '{}', '{}', NULL, NULL, true, false),
('00000000-0000-4000-8000-000000000012', '"a,b"@example.com', NULL, '2024-01-12', NULL, NULL, '2024-01-12', '[1]', NULL, NULL, NULL, false, false);
INSERT INTO auth.identities (id, provider_id, user_id, identity_data, provider, created_at) VALUES
('10000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', '{"email": "old@example.com"}', 'email', '2024-01-01'),
('10000000-0000-4000-8000-000000000002', '1098', '00000000-0000-4000-8000-000000000001', '{"sub": "1098"}', 'google', '2024-01-02'),
('10000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000002', '{"email": "ben@example.com"}', 'email', '2024-01-02'),
('10000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000003', '{"phone": "6281234567"}', 'phone', '2024-01-03'),
('10000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-000000000006', '00000000-0000-4000-8000-000000000006', '{}', 'email', '2024-01-06'),
('10000000-0000-4000-8000-000000000006', 'oid-7', '00000000-0000-4000-8000-000000000007', '{}', 'azure', '2024-01-07'),
('10000000-0000-4000-8000-000000000007', 'ann@idp', '00000000-0000-4000-8000-000000000009', '{}', 'sso:5d1f', '2024-01-09');
INSERT INTO auth.identities (id, provider_id, user_id, identity_data, provider) VALUES
('10000000-0000-4000-8000-000000000008', 'x@nowhere', '00000000-0000-4000-8000-000000000010', '{}', 'email');
CREATE TABLE posts (
  id uuid PRIMARY KEY,
  author uuid NOT NULL REFERENCES auth.users (id),
  reviewers uuid[] NOT NULL DEFAULT '{}',
  title text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT '2024-05-01'
);
INSERT INTO posts VALUES
('20000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', '{00000000-0000-4000-8000-000000000002,00000000-0000-4000-8000-000000000005}', 'by Ann'),
('20000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000005', '{}', 'by somebody who is gone'),
('20000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000004', '{}', 'by somebody anonymous'),
('20000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000001', '{00000000-0000-4000-8000-000000000099}', 'reviewed by nobody');
