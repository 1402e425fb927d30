-- Files of two buckets, one of them cut short, one missing; and rows that name them in every way.
INSERT INTO storage.buckets (id, name, public) VALUES ('covers', 'covers', true), ('docs', 'docs', false);
INSERT INTO storage.objects (id, bucket_id, name, metadata, created_at) VALUES
('30000000-0000-4000-8000-000000000001', 'covers', 'a.txt', '{"size": 7, "mimetype": "text/plain"}', '2024-01-01'),
('30000000-0000-4000-8000-000000000002', 'covers', '2024/with a blank.svg', '{"mimetype": "image/svg+xml"}', '2024-01-02'),
('30000000-0000-4000-8000-000000000003', 'covers', '2024/.emptyFolderPlaceholder', '{"size": 0}', '2024-01-02'),
('30000000-0000-4000-8000-000000000004', 'docs', 'cut.pdf', '{"size": 999}', '2024-01-03'),
('30000000-0000-4000-8000-000000000005', 'docs', 'gone.pdf', '{"size": 5}', '2024-01-04');
CREATE TABLE articles (id int PRIMARY KEY, cover text NOT NULL, attachment text);
INSERT INTO articles VALUES
(1, 'a.txt', NULL),
(2, '/2024/with a blank.svg', ''),
(3, 'https://abc.supabase.co/storage/v1/object/public/covers/2024/with%20a%20blank.svg', NULL),
(4, 'https://abc.supabase.co/storage/v1/render/image/public/covers/a.txt?width=100',
  'https://abc.supabase.co/storage/v1/object/sign/covers/a.txt?token=eyJ'),
(5, 'nothing.png', NULL),
(6, 'a.txt', 'https://abc.supabase.co/storage/v1/object/public/docs/cut.pdf'),
(7, 'a.txt', 'https://abc.supabase.co/storage/v1/object/public/docs/gone.pdf'),
(8, 'a.txt', 'a.txt'),
(9, 'a.txt', 'https://elsewhere.example/a.txt'),
(10, '', NULL);
