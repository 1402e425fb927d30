SELECT set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000aa", "role": "authenticated"}', true);
UPDATE plants SET owner = auth.uid() WHERE id = 2 AND auth.role() = 'authenticated';
