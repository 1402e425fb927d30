-- Seed data for local development. Ids and times are explicit, so that every reset gives the same rows.
--
-- THREE rows are broken on purpose. Search for BROKEN.

-- ============================================
-- Consultants
-- ============================================

INSERT INTO auth.users (id, email, raw_user_meta_data, created_at) VALUES
  ('0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', 'rina@eagleoverseas.test',   '{"full_name": "Rina Kusumawati"}',  '2024-01-08 02:00:00+00'),
  ('3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02', 'bagus@eagleoverseas.test',  '{"full_name": "Bagus Prasetyo"}',   '2024-01-09 10:30:00+07'),
  ('a94c1f7e-2d83-4b56-9e70-c8d5b3f2e603', 'melati@jendelastudi.test',  '{"full_name": "Melati O''Connor"}', '2024-02-14 08:15:30.25+07');

-- ============================================
-- Workspaces
-- ============================================

INSERT INTO workspaces (id, name, slug, created_at, updated_at) VALUES
  ('6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Eagle Overseas Education', 'eagle-overseas',  '2024-01-08 09:00:00+07',        '2024-06-01 12:00:00+07'),
  ('d2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Jendela Studi',            'jendela-studi',   '2024-02-14 01:20:45.123456+00', '2024-02-14 01:20:45.123456+00'),
  ('17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Kampus Impian "Bandung"',  'kampus-impian',   '2024-03-01 00:00:00+07',        '2024-07-19 23:59:59.999999+07'),
  ('e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'My21Staff Demo 🧪',        'my21staff-demo',  '2024-05-20 22:10:05.5-05',      '2024-05-20 22:10:05.5-05');

-- ============================================
-- Contacts
-- ============================================

INSERT INTO contacts (id, workspace_id, name, phone, email, tags, created_at, updated_at) VALUES
  ('4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Siti Nurhaliza Rahman', '+6281234567801', 'siti.rahman@example.com', '{hot,jerman}', '2024-03-02 08:11:12.345678+07', '2024-06-03 10:00:00+07'),
  ('4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Budi Santoso', '+6281234567802', NULL, '{}', '2024-03-02 08:15:00+07', '2024-03-02 08:15:00+07'),
  -- a comma, quotes and a backslash inside the elements
  ('4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Ni Luh Ayu "Ayu" Pertiwi', '+6281234567803', 'ayu+s2@example.co.id', ARRAY['S2, beasiswa', 'kata dia "mahal"', 'C:\drive', ''], '2024-03-05 13:45:10+08', '2024-03-06 09:00:00+08'),
  ('4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c04', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', E'Andre\u0301 Wijaya', '+6281234567804', 'andre@example.com', NULL, '2024-03-09 03:00:00Z', '2024-03-09 03:00:00Z'),
  ('b75f0a3d-c2e9-4168-a4d7-2f81e6c09b05', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', '陳美玲 (Meiling)', '+6285598765405', 'meiling.chen@example.com', '{taiwan,"bahasa mandarin"}', '2024-03-11 19:30:00.000001+07', '2024-04-01 07:00:00+07'),
  ('b75f0a3d-c2e9-4168-a4d7-2f81e6c09b06', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Fajar 🚀', '+6285598765406', '', '{cold}', '2024-03-12 20:01:02+07', '2024-03-12 20:01:02+07'),
  ('b75f0a3d-c2e9-4168-a4d7-2f81e6c09b07', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Putri Maharani', '+6285598765407', 'putri@example.com', '{}', '2024-04-18 11:11:11.111+07', '2024-04-18 11:11:11.111+07'),
  -- the same phone as the first contact, in another workspace
  ('09e3d8b4-61fa-4c27-bd95-a7c40f2e8d08', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Siti N. Rahman', '+6281234567801', 'siti.rahman@example.com', '{duplikat}', '2024-05-01 06:00:00+00', '2024-05-01 06:00:00+00'),
  ('f1c26a97-8e40-4db3-8275-3b9d5e07c409', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'Demo Contact', '+15550100009', NULL, NULL, '2024-05-20 22:15:00-05', '2024-05-20 22:15:00-05');

-- ============================================
-- ARI conversations
-- ============================================

INSERT INTO ari_conversations (id, workspace_id, contact_id, status, ai_model, lead_score, created_at, updated_at) VALUES
  ('82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c01', 'completed',  'grok-3-mini',      92,   '2024-03-02 08:11:13+07',        '2024-06-03 10:00:00+07'),
  ('82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c02', 'qualifying', 'claude-3-5-haiku', 35,   '2024-03-02 08:15:01.5+07',      '2024-03-02 08:40:00+07'),
  ('82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c03', 'payment',    'grok-3-mini',      78,   '2024-03-05 13:45:11+08',        '2024-03-06 09:00:00+08'),
  ('c64b9e2f-d108-4375-8ea2-90f5c7b1d304', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'b75f0a3d-c2e9-4168-a4d7-2f81e6c09b05', 'booking',    'claude-3-5-haiku', 100,  '2024-03-11 19:30:02.654321+07', '2024-04-01 07:00:00+07'),
  ('c64b9e2f-d108-4375-8ea2-90f5c7b1d305', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'b75f0a3d-c2e9-4168-a4d7-2f81e6c09b06', 'greeting',   NULL,               NULL, '2024-03-12 20:01:03+07',        '2024-03-12 20:01:03+07'),
  ('5de07a18-b4c6-4f92-a03d-81e9f6c25b06', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', '09e3d8b4-61fa-4c27-bd95-a7c40f2e8d08', 'handoff',    'grok-3-mini',      64,   '2024-05-01 06:00:01Z',          '2024-05-02 01:30:00Z'),
  ('5de07a18-b4c6-4f92-a03d-81e9f6c25b07', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'f1c26a97-8e40-4db3-8275-3b9d5e07c409', 'scoring',    'gpt-4o-mini',      0,    '2024-05-20 22:15:01-05',        '2024-05-20 22:20:00-05');

-- ============================================
-- Destinations
-- ============================================

INSERT INTO ari_destinations (id, workspace_id, country, city, university_name, requirements, programs, is_promoted, priority, notes, created_at, updated_at) VALUES
  ('9a1c5d73-e24f-4b80-8d66-07c3f9e1b201', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Jerman', 'München', 'Technische Universität München',
   '{"ielts_min": 6.5, "gpa_min": 3.0, "budget_min": 120000000, "budget_max": 180000000, "deadline": "2025-05-31"}',
   '{Informatics,"Management & Technology","Maschinenbau"}', true, 10, 'Semester fee €85, tapi biaya hidup ± Rp 18 jt/bulan.', '2024-03-01 10:00:00+07', '2024-05-15 16:20:00+07'),
  ('9a1c5d73-e24f-4b80-8d66-07c3f9e1b202', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Jerman', 'Berlin', 'Freie Universität Berlin',
   '{"ielts_min": 6, "gpa_min": 2.75, "deadline": null, "documents": ["ijazah", "transkrip", {"name": "APS-Zertifikat", "required": true, "fee_eur": 150.0}]}',
   ARRAY['Politik, Ekonomi & Hukum', 'B.A. "Publizistik"', 'Kimia\Fisika'], false, 5, NULL, '2024-03-01 10:05:00.250+07', '2024-03-01 10:05:00.250+07'),
  ('9a1c5d73-e24f-4b80-8d66-07c3f9e1b203', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Australia', 'Melbourne', 'Monash University',
   '{"ielts_min": 6.5, "pte_min": 58, "budget_min": 450000000, "intakes": ["Feb", "Jul"], "scholarship": {"name": "Monash International Merit", "percent": 12.5, "auto": false}}',
   '{}', NULL, NULL, E'Kampus Clayton.\nAda cabang di BSD — Tangerang 🇮🇩\n\t• tanpa IELTS untuk jalur foundation', '2024-03-02 02:00:00Z', '2024-03-20 02:00:00Z'),
  -- the first version of the form sent no requirements
  ('9a1c5d73-e24f-4b80-8d66-07c3f9e1b204', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Belanda', NULL, 'Universiteit van Amsterdam', '{}', NULL, false, 0, '', '2024-03-02 09:30:00+07', '2024-03-02 09:30:00+07'),
  ('2fb86e0d-97c1-4a35-b7e4-c1d8053f6a05', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Taiwan', '臺北', '國立臺灣大學 (NTU)',
   '{"tocfl_min": "B1", "ielts_min": 5.5, "gpa_min": 2.5, "budget_max": 95000000, "note": "半工半讀 OK, \"part-time\" 20 jam/minggu"}',
   '{電機工程,"International Business",農業化學}', true, 7, E'Sertifikat Cafe\u0301 Belajar \u200bditerima', '2024-03-11 09:00:00.123456+07', '2024-03-11 09:00:00.123456+07'),
  ('2fb86e0d-97c1-4a35-b7e4-c1d8053f6a06', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Jepang', 'Kyoto', 'Kyoto University', NULL, '{}', true, -1, NULL, '2024-03-11 11:00:00+09', '2024-03-12 11:00:00+09'),
  ('7d30f9b5-1e8a-4c64-9f27-e5b20d6c8307', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Malaysia', 'Kuala Lumpur', 'Universiti Malaya',
   '{"ielts_min": 6.0, "gpa_min": 3.25, "budget_min": 40000000.50, "deadline": "2024-12-01T23:59:59+08:00", "nested": {"a": {"b": {"c": [[1, 2], [], [3.5, null, true]]}}}}',
   '{Kedokteran}', false, 3, 'Butuh SKM; lihat C:\dokumen\um.pdf', '2024-05-02 08:00:00+08', '2024-05-02 08:00:00+08'),
  ('7d30f9b5-1e8a-4c64-9f27-e5b20d6c8308', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'Inggris', 'Manchester', 'University of Manchester', '{"ielts_min": 7, "work experience (years)": 2, "fee_rate": 1e-7}', '{"MSc Data Science"}', true, 1, 'Demo', '2024-05-20 22:30:00-05', '2024-05-20 22:30:00-05');

-- ============================================
-- Payments
-- ============================================

INSERT INTO ari_payments (id, ari_conversation_id, workspace_id, amount, currency, payment_method, gateway, gateway_transaction_id, gateway_response, status, expires_at, paid_at, created_at, updated_at) VALUES
  ('e5172c8a-0fd6-4b39-a1c4-49b8f3d70e01', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 750000.00, 'IDR', 'bank_transfer', 'midtrans', 'b3a40e8c-9d4b-4e7f-8f51-1a2b3c4d5e6f',
   '{
      "status_code": "200",
      "status_message": "Success, transaction is found",
      "transaction_status": "settlement",
      "gross_amount": "750000.00",
      "fraud_status": "accept",
      "va_numbers": [{"bank": "bca", "va_number": "812785002530231"}],
      "payment_amounts": [],
      "custom_field1": null,
      "signature_valid": true,
      "fees": {"mdr": 0.0275, "fixed": 4000, "tiers": [[0, 0.5], [1000000, 0.25]]},
      "note": "Konsultasi S2 Jerman 🎓 \"lunas\" — terima kasih\n\tRina \\ CS"
    }',
   'success', '2024-03-03 08:30:00+07', '2024-03-02 09:02:33.987654+07', '2024-03-02 08:30:00+07', '2024-03-02 09:02:34+07'),
  ('e5172c8a-0fd6-4b39-a1c4-49b8f3d70e02', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 1250000.50, 'IDR', 'gopay', 'midtrans', 'c9f1d2e3-1111-4a4a-9b9b-222233334444',
   '{"status_code": "202", "transaction_status": "deny", "actions": [{"name": "generate-qr-code", "method": "GET", "url": "https://api.sandbox.midtrans.test/v2/gopay/qr?x=1&y=%20"}], "channel_response": {"code": null, "score": -12.75}}',
   'failed', '2024-05-10 15:15:00+07', NULL, '2024-05-10 15:00:00.000123+07', '2024-05-10 15:16:00+07'),
  -- written by hand in the SQL editor, with NULLs where the columns have defaults
  ('e5172c8a-0fd6-4b39-a1c4-49b8f3d70e03', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 0, NULL, NULL, NULL, NULL, NULL, 'pending', NULL, NULL, '2024-03-02 08:41:00+07', '2024-03-02 08:41:00+07'),
  ('e5172c8a-0fd6-4b39-a1c4-49b8f3d70e04', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 350000, 'IDR', 'qris', 'midtrans', 'qris-2024-0004', '{}', 'pending', '2024-03-06 14:00:00+08', NULL, '2024-03-05 14:00:00+08', '2024-03-05 14:00:00+08'),
  -- the largest amount that the column holds
  ('f08d64b3-72ae-4c1f-8359-1de6b9a0c705', 'c64b9e2f-d108-4375-8ea2-90f5c7b1d304', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 9999999999.99, 'IDR', 'credit_card', 'midtrans', 'cc-99999999',
   '{"transaction_status": "refund", "refunds": [{"refund_chargeback_id": 1, "refund_amount": "9999999999.99", "reason": "salah input 🙈"}], "masked_card": "481111-1114", "three_ds": {"eci": "05", "ok": false}}',
   'refunded', NULL, '2024-03-31 23:59:59.999999+07', '2024-03-31 22:00:00+07', '2024-04-02 10:00:00+07'),
  ('f08d64b3-72ae-4c1f-8359-1de6b9a0c706', 'c64b9e2f-d108-4375-8ea2-90f5c7b1d304', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 25.10, 'TWD', 'credit_card', 'stripe', 'pi_3OqXyZ2eZvKYlo2C1abcdefg', '[{"object": "event", "livemode": false}, "retry", 2, null]', 'success', NULL, '2024-04-01 00:05:00+00', '2024-04-01 08:00:00+08', '2024-04-01 08:05:01+08'),
  ('f08d64b3-72ae-4c1f-8359-1de6b9a0c707', '5de07a18-b4c6-4f92-a03d-81e9f6c25b06', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 500000.05, 'IDR', 'bank_transfer', 'xendit', 'xnd-7781', '{"status": "EXPIRED", "fixed_va": {"bank_code": "MANDIRI", "is_closed": true, "attempts": []}}', 'expired', '2024-05-02 06:00:00Z', NULL, '2024-05-01 06:00:00Z', '2024-05-02 06:00:01Z'),
  ('f08d64b3-72ae-4c1f-8359-1de6b9a0c708', '5de07a18-b4c6-4f92-a03d-81e9f6c25b07', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 0.01, 'USD', NULL, 'midtrans', NULL, '{"sandbox": true}', 'success', NULL, '2024-05-20 22:31:00.000001-05', '2024-05-20 22:30:00-05', '2024-05-20 22:31:00-05');

-- BROKEN on purpose (1 of 3): status is NULL. The CHECK lets it pass; in Convex the field is required and has no default.
INSERT INTO ari_payments (id, ari_conversation_id, workspace_id, amount, currency, payment_method, gateway, gateway_transaction_id, gateway_response, status, expires_at, paid_at, created_at, updated_at) VALUES
  ('bad00000-0002-4000-8000-00000000b001', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 150000.00, 'IDR', 'bank_transfer', 'midtrans', 'broken-status', NULL, NULL, NULL, NULL, '2024-03-05 15:00:00+08', '2024-03-05 15:00:00+08');

-- ============================================
-- Appointments
-- ============================================

INSERT INTO ari_appointments (id, ari_conversation_id, workspace_id, payment_id, consultant_id, scheduled_at, duration_minutes, meeting_link, status, reminder_sent_at, notes, created_at, updated_at) VALUES
  ('31f7b0d9-c58e-4264-b9a3-7e2d04c6f801', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'e5172c8a-0fd6-4b39-a1c4-49b8f3d70e01', '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', '2024-03-08 10:00:00+07', 60, 'https://meet.google.test/abc-defg-hij', 'completed', '2024-03-07 10:00:03.141592+07', E'Siti bawa: ijazah, transkrip, "motivation letter".\nTindak lanjut:\n\t1. uni-assist\n\t2. APS', '2024-03-02 09:03:00+07', '2024-03-08 11:05:00+07'),
  ('31f7b0d9-c58e-4264-b9a3-7e2d04c6f802', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', NULL, '3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02', '2024-06-05 03:30:00+00', NULL, NULL, 'scheduled', NULL, NULL, '2024-06-03 10:00:00+07', '2024-06-03 10:00:00+07'),
  ('31f7b0d9-c58e-4264-b9a3-7e2d04c6f803', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'e5172c8a-0fd6-4b39-a1c4-49b8f3d70e04', NULL, '2024-03-10 09:00:00+08', 30, '', 'cancelled', NULL, 'Belum bayar 😅', '2024-03-05 14:05:00+08', '2024-03-09 14:05:00.5+08'),
  ('6be94a05-2d7c-4f18-8c30-b5f1e7d92a04', 'c64b9e2f-d108-4375-8ea2-90f5c7b1d304', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'f08d64b3-72ae-4c1f-8359-1de6b9a0c706', 'a94c1f7e-2d83-4b56-9e70-c8d5b3f2e603', '2024-04-05 13:00:00.000001+07', 90, 'https://zoom.test/j/99?pwd=a%2Fb&x=''1''', 'confirmed', '2024-04-04 13:00:00+07', '她想去臺灣 🇹🇼', '2024-04-01 08:06:00+08', '2024-04-04 13:00:00+07'),
  ('6be94a05-2d7c-4f18-8c30-b5f1e7d92a05', 'c64b9e2f-d108-4375-8ea2-90f5c7b1d305', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', NULL, NULL, '2024-03-20 09:00:00+07', 60, NULL, 'no_show', '2024-03-19 09:00:00+07', '', '2024-03-13 08:00:00+07', '2024-03-20 10:00:00+07'),
  ('6be94a05-2d7c-4f18-8c30-b5f1e7d92a06', '5de07a18-b4c6-4f92-a03d-81e9f6c25b06', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', NULL, '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', '2024-05-06 02:00:00Z', 45, NULL, 'confirmed', NULL, 'Konsultan pinjaman dari Eagle', '2024-05-02 01:31:00Z', '2024-05-02 01:31:00Z'),
  ('6be94a05-2d7c-4f18-8c30-b5f1e7d92a07', '5de07a18-b4c6-4f92-a03d-81e9f6c25b07', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'f08d64b3-72ae-4c1f-8359-1de6b9a0c708', NULL, '2029-12-31 23:30:00-05', 15, NULL, 'scheduled', NULL, NULL, '2024-05-20 22:32:00-05', '2024-05-20 22:32:00-05');

-- BROKEN on purpose (2 of 3): nothing is wrong with this row, but its payment is the one without a status,
-- so it can't arrive either.
INSERT INTO ari_appointments (id, ari_conversation_id, workspace_id, payment_id, consultant_id, scheduled_at, duration_minutes, meeting_link, status, reminder_sent_at, notes, created_at, updated_at) VALUES
  ('bad00000-0003-4000-8000-00000000c001', '82d5f1c0-3a9e-4b67-9c14-6e0f7d2b8a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'bad00000-0002-4000-8000-00000000b001', '3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02', '2024-03-11 09:00:00+08', 60, NULL, 'scheduled', NULL, NULL, '2024-03-05 15:05:00+08', '2024-03-05 15:05:00+08');

-- BROKEN on purpose (3 of 3): its conversation does not exist (it was deleted while the triggers were off).
SET session_replication_role = replica;
INSERT INTO ari_appointments (id, ari_conversation_id, workspace_id, payment_id, consultant_id, scheduled_at, duration_minutes, meeting_link, status, reminder_sent_at, notes, created_at, updated_at) VALUES
  ('bad00000-0001-4000-8000-00000000a001', 'dead0000-0000-4000-8000-00000000dead', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', NULL, '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', '2024-03-15 10:00:00+07', 60, NULL, 'cancelled', NULL, 'Percakapan sudah dihapus', '2024-03-07 10:00:00+07', '2024-03-07 10:00:00+07');
RESET session_replication_role;

-- ============================================
-- AI model comparison
-- ============================================

INSERT INTO ari_ai_comparison (id, workspace_id, ai_model, conversation_count, avg_response_time_ms, total_tokens_used, conversion_count, satisfaction_score, period_start, period_end, created_at, updated_at) VALUES
  ('aa60e3f8-4b12-4d95-8e7c-20f9b5d1c601', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'grok-3-mini',      412,  1840, 5210339881, 57,   4.62, '2024-03-01 00:00:00+07', '2024-04-01 00:00:00+07',        '2024-04-01 00:10:00+07',        '2024-04-01 00:10:00+07'),
  ('aa60e3f8-4b12-4d95-8e7c-20f9b5d1c602', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'claude-3-5-haiku', 398,  2215, 4987120,    61,   4.70, '2024-03-01 00:00:00+07', '2024-04-01 00:00:00+07',        '2024-04-01 00:10:00.000777+07', '2024-04-01 00:10:00.000777+07'),
  -- no traffic yet
  ('aa60e3f8-4b12-4d95-8e7c-20f9b5d1c603', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'grok-3-mini',      NULL, NULL, NULL,       NULL, NULL, NULL,                     NULL,                            '2024-03-11 09:00:00+07',        '2024-03-11 09:00:00+07'),
  ('aa60e3f8-4b12-4d95-8e7c-20f9b5d1c604', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'claude-3-5-haiku', 1,    0,    0,          0,    0.00, '2024-03-11 00:00:00+07', '2024-03-31 23:59:59.999999+07', '2024-04-01 00:10:00+07',        '2024-04-01 00:10:00+07'),
  -- "since ever": the start of the epoch, minus a moment
  ('aa60e3f8-4b12-4d95-8e7c-20f9b5d1c605', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'gpt-4o-mini',      12,   950,  88041,      2,    9.99, '1969-12-31 23:59:59.123456+00', '2024-06-01 00:00:00-05', '2024-06-01 00:05:00-05',        '2024-06-01 00:05:00-05');

-- ============================================
-- Flow stages
-- ============================================

INSERT INTO ari_flow_stages (id, workspace_id, name, goal, sample_script, exit_criteria, stage_order, is_active, created_at, updated_at) VALUES
  ('58c0d4e2-f96b-4a17-93d8-b47e1f0a2c01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Sapaan', 'Menyapa dan menanyakan nama', E'Halo kak! 👋 Aku ARI dari Eagle Overseas.\nBoleh tahu namanya siapa?', 'Nama sudah diketahui', 1, true, '2024-03-15 09:00:00+07', '2024-03-15 09:00:00+07'),
  ('58c0d4e2-f96b-4a17-93d8-b47e1f0a2c02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Kualifikasi', 'Negara, jenjang, dan budget', 'Kakak rencana lanjut S1 atau S2? Kira-kira "budget"-nya berapa?', 'Tiga dari empat: negara, jenjang, budget, tahun', 2, true, '2024-03-15 09:01:00.000500+07', '2024-04-15 09:01:00+07'),
  ('58c0d4e2-f96b-4a17-93d8-b47e1f0a2c03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Dokumen', 'Meminta ijazah & IELTS', NULL, NULL, 3, NULL, '2024-03-15 09:02:00+07', '2024-03-15 09:02:00+07'),
  ('58c0d4e2-f96b-4a17-93d8-b47e1f0a2c04', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Upsell (lama)', 'Tawarkan paket premium', 'Kak, ada promo 50% lho %s {{nama}} ${harga}', 'Jangan dipakai lagi', 99, false, '2024-03-15 09:03:00+07', '2024-05-01 09:03:00+07'),
  -- no created_at: inserted by the template importer, which sent null
  ('0d92f6a7-83e1-4c5b-b604-9ac7e3f18d05', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Opening', '認識學生', '你好！Halo! 😊', 'Sudah membalas', 1, true, NULL, '2024-03-16 14:30:00.250+07'),
  ('0d92f6a7-83e1-4c5b-b604-9ac7e3f18d06', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Booking', 'Menjadwalkan konsultasi', E'Jam berapa kakak bisa?\n\t- 09:00\n\t- 13:00\n\\o/', '', 2, true, '2024-03-16 14:31:00+07', '2024-03-16 14:31:00+07'),
  ('0d92f6a7-83e1-4c5b-b604-9ac7e3f18d07', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Salam', 'Wilujeng sumping', 'Sampurasun, Kang/Teh 🙏🏽', NULL, 0, true, '2024-05-01 05:00:00Z', '2024-05-01 05:00:00Z'),
  ('0d92f6a7-83e1-4c5b-b604-9ac7e3f18d08', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 'Demo', 'Show the product', NULL, 'none', 1, NULL, '2024-05-20 22:40:00-05', '2024-05-20 22:40:00-05');

-- ============================================
-- Knowledge base
-- ============================================

INSERT INTO ari_knowledge_categories (id, workspace_id, name, description, display_order, created_at, updated_at) VALUES
  ('c3a78e51-d60f-4b24-a9c7-f1852e0d6b01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Biaya & Pembayaran', 'Harga konsultasi, cicilan, refund', 1, '2024-04-01 09:00:00+07', '2024-04-01 09:00:00+07'),
  ('c3a78e51-d60f-4b24-a9c7-f1852e0d6b02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Visa', NULL, 2, '2024-04-01 09:01:00+07', '2024-04-01 09:01:00+07'),
  ('c3a78e51-d60f-4b24-a9c7-f1852e0d6b03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'FAQ ❓', '', NULL, '2024-04-01 02:02:00.999999+00', '2024-04-01 02:02:00.999999+00'),
  ('84fd1b06-3c9a-4e7d-8052-6d4be9c0f704', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'Beasiswa', 'MOFA, Huayu, "Elite Scholarship"', 0, '2024-04-02 10:00:00+07', '2024-04-03 10:00:00+07'),
  ('84fd1b06-3c9a-4e7d-8052-6d4be9c0f705', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Umum', NULL, 0, '2024-05-01 05:10:00Z', '2024-05-01 05:10:00Z');

INSERT INTO ari_knowledge_entries (id, workspace_id, category_id, title, content, is_active, created_at, updated_at) VALUES
  ('1be5c937-a04d-4f68-bc21-d7093e8f5a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'c3a78e51-d60f-4b24-a9c7-f1852e0d6b01', 'Berapa biaya konsultasi?', 'Konsultasi pertama Rp 750.000 untuk 60 menit. Bisa dibayar lewat VA BCA, GoPay, atau QRIS.', true, '2024-04-01 09:10:00+07', '2024-04-01 09:10:00+07'),
  ('1be5c937-a04d-4f68-bc21-d7093e8f5a02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'c3a78e51-d60f-4b24-a9c7-f1852e0d6b01', 'Refund', E'Refund 100% bila dibatalkan > 24 jam sebelumnya.\r\nSelain itu 50%.\r\n\r\nHubungi: cs@eagleoverseas.test', true, '2024-04-01 09:11:00+07', '2024-04-20 09:11:00+07'),
  ('1be5c937-a04d-4f68-bc21-d7093e8f5a03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'c3a78e51-d60f-4b24-a9c7-f1852e0d6b02', 'Visa pelajar Jerman', $$Rekening blokir (Sperrkonto) € 11.904/tahun.
Daftar antrean di $VFS$ "secepatnya"; jangan lupa 'Verpflichtungserklärung' bila ada sponsor.$$, NULL, '2024-04-01 09:12:00.5+07', '2024-04-01 09:12:00.5+07'),
  ('1be5c937-a04d-4f68-bc21-d7093e8f5a04', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', NULL, 'Alamat kantor', E'Jl. Jend. Sudirman Kav. 52\u201353, Jakarta\u00a0Selatan\u200b 📍', true, '2024-04-01 09:13:00+07', '2024-04-01 09:13:00+07'),
  -- imported from the old system, whose clock stood at zero: before 1970 in UTC
  ('1be5c937-a04d-4f68-bc21-d7093e8f5a05', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'c3a78e51-d60f-4b24-a9c7-f1852e0d6b03', 'Jam buka', 'Senin–Jumat 09.00–17.00 WIB', true, '1970-01-01 00:00:00+07', '2024-04-01 09:14:00+07'),
  ('6705ad4f-e8b2-4193-9d5c-0c3fb17e4806', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', '84fd1b06-3c9a-4e7d-8052-6d4be9c0f704', 'Beasiswa MOFA Taiwan', E'NT$30.000/bulan + tiket ✈️\n申請截止：3 月 31 日', true, '2024-04-02 10:05:00+07', '2024-04-02 10:05:00+07'),
  ('6705ad4f-e8b2-4193-9d5c-0c3fb17e4807', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', NULL, '(draf)', '', false, '2024-04-02 10:06:00.000001+07', '2024-04-02 10:06:00.000001+07'),
  ('6705ad4f-e8b2-4193-9d5c-0c3fb17e4808', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', '84fd1b06-3c9a-4e7d-8052-6d4be9c0f705', 'Parkir', 'Gratis. Regex lama: ^\d{2}:\d{2}$ \\ jangan diubah', true, '2024-05-01 05:11:00Z', '2024-05-01 05:11:00Z');

-- ============================================
-- Scoring config (one row per workspace)
-- ============================================

INSERT INTO ari_scoring_config (id, workspace_id, hot_threshold, warm_threshold, weight_basic, weight_qualification, weight_document, weight_engagement, created_at, updated_at) VALUES
  ('dc41f80b-5e97-4a23-8b6d-e0f2c9157a01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 70, 40, 25, 35, 30, 10, '2024-05-01 09:00:00+07', '2024-05-01 09:00:00+07'),
  ('dc41f80b-5e97-4a23-8b6d-e0f2c9157a02', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 85, 55, 10, 40, 40, 10, '2024-05-01 09:05:00.750+07', '2024-05-11 17:00:00+07'),
  -- the admin panel sent null for what nobody changed
  ('dc41f80b-5e97-4a23-8b6d-e0f2c9157a03', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', NULL, NULL, NULL, NULL, NULL, NULL, '2024-05-02 02:00:00Z', '2024-05-02 02:00:00Z'),
  ('dc41f80b-5e97-4a23-8b6d-e0f2c9157a04', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', 1, 0, 0, 0, 0, 100, '2024-05-20 22:45:00-05', '2024-05-20 22:45:00-05');

-- ============================================
-- Consultant slots
-- ============================================

INSERT INTO consultant_slots (id, workspace_id, consultant_id, day_of_week, start_time, end_time, duration_minutes, booking_window_days, max_bookings_per_slot, is_active, created_at, updated_at) VALUES
  ('46e2b9c8-0d75-4f3a-91be-a8c65d02f101', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', 1, '09:00', '12:00', 60, 14, 1, true, '2024-03-20 09:00:00+07', '2024-03-20 09:00:00+07'),
  ('46e2b9c8-0d75-4f3a-91be-a8c65d02f102', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', 3, '13:30:00', '17:00:00', 45, 30, 2, true, '2024-03-20 09:01:00.123+07', '2024-03-20 09:01:00.123+07'),
  ('46e2b9c8-0d75-4f3a-91be-a8c65d02f103', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02', 6, '08:15', '11:45', NULL, NULL, NULL, NULL, '2024-03-20 09:02:00+07', '2024-03-21 09:02:00+07'),
  -- a slot of the whole team
  ('46e2b9c8-0d75-4f3a-91be-a8c65d02f104', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', NULL, 0, '00:00', '23:59', 30, 7, 10, false, '2024-03-20 09:03:00+07', '2024-03-20 09:03:00+07'),
  ('b09d73e4-f61c-4852-a3d7-5ce8210bf905', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'a94c1f7e-2d83-4b56-9e70-c8d5b3f2e603', 2, '10:00', '16:00', 90, 21, 1, true, '2024-03-21 08:00:00.000009+07', '2024-03-21 08:00:00.000009+07'),
  ('b09d73e4-f61c-4852-a3d7-5ce8210bf906', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'a94c1f7e-2d83-4b56-9e70-c8d5b3f2e603', 4, '19:00', '21:30', 60, 14, 1, true, '2024-03-21 08:01:00+07', '2024-03-21 08:01:00+07'),
  ('b09d73e4-f61c-4852-a3d7-5ce8210bf907', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', '0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01', 5, '13:00', '15:00', 60, 14, 1, NULL, '2024-05-01 05:20:00Z', '2024-05-01 05:20:00Z');

-- ============================================
-- Articles
-- ============================================

INSERT INTO articles (id, workspace_id, title, slug, excerpt, content, cover_image_url, status, published_at, created_at, updated_at) VALUES
  ('f72a05c9-1d8e-4b36-8fa4-63e7d0b5c901', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Panduan Lengkap Kuliah S2 di Jerman 🇩🇪', 'panduan-s2-jerman', 'Dari APS sampai visa: semua yang perlu "disiapkan" setahun sebelumnya.', $body$# Panduan Lengkap Kuliah S2 di Jerman 🇩🇪

Setiap tahun ribuan pelajar Indonesia berangkat ke Jerman. Alasannya sederhana: uang kuliah di universitas negeri hampir gratis, mutunya tinggi, dan setelah lulus kamu boleh tinggal 18 bulan untuk mencari kerja. Tapi jalannya panjang. Artikel ini merangkum langkah-langkahnya, dari yang paling lama sampai yang paling sering dilupakan.

## 1. Tentukan program dulu, kota belakangan

Banyak siswa kami datang dengan kalimat "pokoknya München". Padahal yang menentukan diterima atau tidak adalah *kesesuaian mata kuliah*. Bandingkan transkripmu dengan silabus program; biasanya universitas meminta sekian ECTS di bidang tertentu. Sebagai patokan kasar: 1 SKS ≈ 1,5 ECTS.

| Program               | Bahasa   | IELTS | Batas akhir  |
|-----------------------|----------|-------|--------------|
| Informatics (TUM)     | Inggris  | 6,5   | 31 Mei       |
| Data Science (Mannheim) | Inggris | 7,0  | 15 Mei       |
| Maschinenbau (RWTH)   | Jerman   | –     | 15 Juli      |

## 2. APS: mulai paling awal

Sejak 2021 pelamar dari beberapa negara wajib punya sertifikat APS. Prosesnya bisa tiga bulan, jadi jangan ditunda. Siapkan:

1. Ijazah dan transkrip asli (bukan fotokopi legalisir)
2. Terjemahan tersumpah, bahasa Jerman *atau* Inggris
3. Paspor yang masih berlaku
4. Bukti bayar — simpan berkasnya, misalnya di `C:\Users\nama\Documents\APS\bukti.pdf`

> "Saya kira cukup dua minggu. Ternyata sebelas." — Siti, sekarang di Berlin

## 3. Biaya: hitung yang jujur

Uang kuliah mungkin nol, tetapi hidup tidak. Hitungan kami untuk satu tahun:

	Sperrkonto          € 11.904
	Asuransi kesehatan  €  1.500
	Tiket pesawat       €    900
	Cadangan            €  1.000
	-----------------------------
	Jumlah              € 15.304

Dengan kurs Rp 17.500 itu sekitar Rp 268 juta. Ada beasiswa (DAAD, LPDP, Deutschlandstipendium), tapi jangan menyusun rencana yang hanya jalan kalau beasiswanya dapat.

## 4. Visa

Buat janji di kedutaan *sebelum* surat penerimaan keluar; antreannya bisa 8–12 minggu. Kalau ditolak, kamu punya waktu satu bulan untuk mengajukan keberatan (Remonstration).

## 5. Setelah tiba: dua minggu pertama

- *Anmeldung* di Bürgeramt, maksimal 14 hari setelah pindah (bawa Wohnungsgeberbestätigung!)
- Rekening giro: aktifkan Sperrkonto, 1/12 dari saldo cair setiap bulan
- Semesterticket, kartu perpustakaan, akun eduroam
- Perpanjang izin tinggal 6 sampai 8 minggu sebelum visa nasionalmu habis

## 6. Pertanyaan yang paling sering masuk ke ARI

**Apakah harus bisa bahasa Jerman?** Untuk program berbahasa Inggris tidak. Tapi A2 membuat hidupmu jauh lebih gampang: kontrak kos, dokter, kerja sampingan.

**IPK saya 2,9. Masih bisa?** Bisa, kalau programnya *zulassungsfrei*. Lihat juga rumus konversi Bavaria: `nilai = 1 + 3 * (max - ipk) / (max - min)`.

**Boleh kerja?** Boleh: 140 hari penuh atau 280 setengah hari per tahun.

---

Masih bingung? Balas "HALO" ke nomor WhatsApp kami, nanti ARI bantu carikan jadwal konsultasi yang cocok. Sampai jumpa di Jerman! 👩🏽‍🎓✈️
$body$, 'https://cdn.eagleoverseas.test/img/jerman%20s2.jpg?w=1200&q=80', 'published', '2024-03-18 07:00:00+07', '2024-03-10 20:15:42.918273+07', '2024-05-30 11:45:00+07'),
  ('f72a05c9-1d8e-4b36-8fa4-63e7d0b5c902', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Tips IELTS 7.0 dalam 3 bulan', 'tips-ielts-7', NULL, E'Jangan menghafal.\n\n- Dengarkan podcast\n- Tulis setiap hari\n- \\"Mock test\\" tiap Sabtu', NULL, 'published', '2024-04-02 00:00:00Z', '2024-04-01 10:00:00+07', '2024-04-02 07:00:00+07'),
  ('f72a05c9-1d8e-4b36-8fa4-63e7d0b5c903', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '(Tanpa judul)', 'draf-1', '', NULL, NULL, 'draft', NULL, '2024-05-05 05:05:05.050505+07', '2024-05-05 05:05:05.050505+07'),
  -- the same slug as the first one, in another workspace
  ('3ad8e61f-b402-4c97-a5f0-9e1c7b46d204', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', 'S2 Jerman atau Taiwan?', 'panduan-s2-jerman', 'Perbandingan singkat', E'Jerman: gratis.\tTaiwan: dekat.\nPilihan ada di tanganmu 🤝', '/images/de-tw.png', 'published', '2024-04-10 12:34:56.789+07', '2024-04-09 09:00:00+07', '2024-04-10 12:34:56.789+07'),
  -- an old speech, dated as it was given
  ('3ad8e61f-b402-4c97-a5f0-9e1c7b46d205', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Dari arsip: pidato Dies Natalis ITB', 'arsip-dies-natalis', 'Bandung, 1959', E'Saudara\u00b2 sekalian, ejaan lama: "Tjita\u00b2 jang luhur".', NULL, 'published', '1959-03-02 09:00:00+07', '2024-05-01 05:30:00Z', '2024-05-01 05:30:00Z'),
  ('3ad8e61f-b402-4c97-a5f0-9e1c7b46d206', 'e803b6d7-4a1f-4c72-9b0e-58f6d1c3e704', '<script>alert("hi")</script>', 'xss-test', NULL, '<p>&amp; ''quoted'' </p>', NULL, 'draft', NULL, '2024-05-20 22:50:00-05', '2024-05-20 22:50:00-05');

-- ============================================
-- Webinars
-- ============================================

INSERT INTO webinars (id, workspace_id, title, slug, description, cover_image_url, scheduled_at, duration_minutes, meeting_url, max_registrations, status, published_at, created_at, updated_at) VALUES
  ('95b3c7f0-e41d-4a68-b20c-7f8d5e09a301', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Info Session: Kuliah Gratis di Jerman', 'info-session-jerman', E'Bersama Rina & Bagus 🎙️\n\nAgenda:\n1. APS\n2. Sperrkonto\n3. Q&A', 'https://cdn.eagleoverseas.test/webinar/1.webp', '2024-04-20 19:00:00+07', 90, 'https://zoom.test/j/8412', 200, 'completed', '2024-04-05 08:00:00+07', '2024-04-03 14:00:00.333333+07', '2024-04-20 21:00:00+07'),
  ('95b3c7f0-e41d-4a68-b20c-7f8d5e09a302', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Klinik Motivation Letter', 'klinik-motivation-letter', NULL, NULL, '2024-08-10 02:00:00+00', NULL, NULL, NULL, 'published', '2024-07-01 08:00:00+07', '2024-06-28 16:00:00+07', '2024-07-01 08:00:00+07'),
  ('95b3c7f0-e41d-4a68-b20c-7f8d5e09a303', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', 'Study in Australia Day', 'australia-day', 'Belum pasti', NULL, '2024-09-01 09:00:00+10', 120, NULL, 0, 'draft', NULL, '2024-07-02 16:00:00+07', '2024-07-02 16:00:00+07'),
  ('0e64d92b-a8f5-4c31-9d7e-c25b18f3e604', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', '台灣留學說明會 / Info Taiwan', 'info-taiwan', 'Bahasa: Indonesia & 中文', NULL, '2024-05-18 13:00:00+08', 60, 'https://meet.google.test/tw-2024', 2, 'published', '2024-05-01 00:00:00.000001+08', '2024-04-25 10:00:00+07', '2024-05-01 00:00:00+08'),
  ('0e64d92b-a8f5-4c31-9d7e-c25b18f3e605', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', 'Ngobrol Kampus', 'ngobrol-kampus', '', '', '2024-06-15 03:00:00Z', 45, NULL, NULL, 'cancelled', NULL, '2024-05-10 03:00:00Z', '2024-06-10 03:00:00Z');

INSERT INTO webinar_registrations (id, webinar_id, contact_id, workspace_id, registered_at, attended) VALUES
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c001', '95b3c7f0-e41d-4a68-b20c-7f8d5e09a301', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '2024-04-05 08:31:00+07',        true),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c002', '95b3c7f0-e41d-4a68-b20c-7f8d5e09a301', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c02', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '2024-04-06 22:10:09.876543+07', false),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c003', '95b3c7f0-e41d-4a68-b20c-7f8d5e09a301', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c03', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '2024-04-07 01:00:00+08',        NULL),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c004', '95b3c7f0-e41d-4a68-b20c-7f8d5e09a302', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c01', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '2024-07-01 08:00:01+07',        false),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c005', '95b3c7f0-e41d-4a68-b20c-7f8d5e09a302', '4c8d2e61-7b05-4a93-8f1c-d06e9a3b5c04', '6f9619ff-8b86-4d01-b42d-00cf4fc96401', '2024-07-01 01:00:01Z',          false),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c006', '0e64d92b-a8f5-4c31-9d7e-c25b18f3e604', 'b75f0a3d-c2e9-4168-a4d7-2f81e6c09b05', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', '2024-05-02 12:00:00.5+07',      true),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c007', '0e64d92b-a8f5-4c31-9d7e-c25b18f3e604', 'b75f0a3d-c2e9-4168-a4d7-2f81e6c09b07', 'd2719e44-05c3-4f9b-a6e8-13b7c0d5fa02', '2024-05-03 12:00:00+07',        NULL),
  ('61d0f8a3-7c2e-4b95-8e43-d9a5b7e1c008', '0e64d92b-a8f5-4c31-9d7e-c25b18f3e605', '09e3d8b4-61fa-4c27-bd95-a7c40f2e8d08', '17ac5be0-f3d8-4926-8c51-e49d02b6ac03', '2024-05-11 09:00:00Z',          false);
