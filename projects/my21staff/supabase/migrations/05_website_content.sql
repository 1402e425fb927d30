-- 05: public website content: articles, webinars, webinar registrations

-- ============================================
-- ARTICLES
-- ============================================

CREATE TABLE IF NOT EXISTS articles (
  id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  title VARCHAR(255) NOT NULL,
  slug VARCHAR(255) NOT NULL,
  excerpt TEXT,
  content TEXT,
  cover_image_url TEXT,
  status VARCHAR(20) NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published')),
  published_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW(),
  UNIQUE(workspace_id, slug)
);

CREATE INDEX idx_articles_workspace ON articles(workspace_id);
CREATE INDEX idx_articles_published ON articles(workspace_id, published_at DESC) WHERE status = 'published';

-- ============================================
-- WEBINARS
-- ============================================

CREATE TABLE IF NOT EXISTS webinars (
  id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  title VARCHAR(255) NOT NULL,
  slug VARCHAR(255) NOT NULL,
  description TEXT,
  cover_image_url TEXT,
  scheduled_at TIMESTAMPTZ NOT NULL,
  duration_minutes INTEGER DEFAULT 60,
  meeting_url TEXT,
  max_registrations INTEGER,
  status VARCHAR(20) NOT NULL DEFAULT 'draft'
    CHECK (status IN ('draft', 'published', 'completed', 'cancelled')),
  published_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW(),
  UNIQUE(workspace_id, slug)
);

CREATE INDEX idx_webinars_workspace ON webinars(workspace_id);
CREATE INDEX idx_webinars_upcoming ON webinars(scheduled_at) WHERE status = 'published';

-- ============================================
-- WEBINAR REGISTRATIONS
-- ============================================

CREATE TABLE IF NOT EXISTS webinar_registrations (
  id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
  webinar_id UUID NOT NULL REFERENCES webinars(id) ON DELETE CASCADE,
  contact_id UUID NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  registered_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  attended BOOLEAN DEFAULT false,
  UNIQUE(webinar_id, contact_id)
);

CREATE INDEX idx_webinar_registrations_webinar ON webinar_registrations(webinar_id);
CREATE INDEX idx_webinar_registrations_contact ON webinar_registrations(contact_id);

-- ============================================
-- RLS
-- ============================================

ALTER TABLE articles ENABLE ROW LEVEL SECURITY;
ALTER TABLE webinars ENABLE ROW LEVEL SECURITY;
ALTER TABLE webinar_registrations ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Anyone can read published articles"
  ON articles FOR SELECT
  USING (status = 'published');

CREATE POLICY "Members can manage articles"
  ON articles FOR ALL
  TO authenticated
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "Anyone can read published webinars"
  ON webinars FOR SELECT
  USING (status IN ('published', 'completed'));

CREATE POLICY "Members can manage webinars"
  ON webinars FOR ALL
  TO authenticated
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "Members can view registrations"
  ON webinar_registrations FOR SELECT
  TO authenticated
  USING (workspace_id = public.current_workspace_id());

-- the public form posts through an edge function
CREATE POLICY "Service role can manage registrations"
  ON webinar_registrations FOR ALL
  USING (auth.role() = 'service_role');

-- ============================================
-- TRIGGERS, VIEW, GRANTS
-- ============================================

CREATE TRIGGER update_articles_updated_at
  BEFORE UPDATE ON articles
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_webinars_updated_at
  BEFORE UPDATE ON webinars
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE OR REPLACE VIEW webinar_stats WITH (security_invoker = true) AS
SELECT
  w.id AS webinar_id,
  w.workspace_id,
  w.title,
  COUNT(r.id) AS registration_count,
  COUNT(r.id) FILTER (WHERE r.attended) AS attended_count
FROM webinars w
LEFT JOIN webinar_registrations r ON r.webinar_id = w.id
GROUP BY w.id;

GRANT SELECT ON articles, webinars TO anon;
GRANT SELECT, INSERT, UPDATE, DELETE ON articles, webinars, webinar_registrations TO authenticated;
GRANT ALL ON articles, webinars, webinar_registrations TO service_role;
GRANT SELECT ON webinar_stats TO authenticated, service_role;

COMMENT ON TABLE articles IS 'Articles of a workspace''s public website (Markdown)';
COMMENT ON COLUMN webinars.max_registrations IS 'NULL = unlimited';
