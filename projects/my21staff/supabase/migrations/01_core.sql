-- 01: core tables (workspaces, contacts) + helpers that every later migration uses

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

-- ============================================
-- HELPERS
-- ============================================

CREATE OR REPLACE FUNCTION update_updated_at_column()
RETURNS TRIGGER AS $$
BEGIN
  NEW.updated_at = NOW();
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

-- The workspace a signed-in user works in. Set in app_metadata when the user is invited.
CREATE OR REPLACE FUNCTION public.current_workspace_id()
RETURNS UUID
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = public
AS $$
  SELECT NULLIF(auth.jwt() -> 'app_metadata' ->> 'workspace_id', '')::uuid
$$;

-- ============================================
-- WORKSPACES
-- ============================================

CREATE TABLE IF NOT EXISTS workspaces (
  id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
  name VARCHAR(255) NOT NULL,
  slug VARCHAR(100) NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Members can view their workspace"
  ON workspaces FOR SELECT
  TO authenticated
  USING (id = public.current_workspace_id());

CREATE TRIGGER update_workspaces_updated_at
  BEFORE UPDATE ON workspaces
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ============================================
-- CONTACTS
-- ============================================

CREATE TABLE IF NOT EXISTS contacts (
  id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  phone VARCHAR(32) NOT NULL,
  email VARCHAR(255),
  tags TEXT[] DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  CONSTRAINT contacts_workspace_phone_key UNIQUE (workspace_id, phone)
);

CREATE INDEX IF NOT EXISTS idx_contacts_workspace ON contacts(workspace_id);
CREATE INDEX IF NOT EXISTS idx_contacts_email ON contacts(lower(email)) WHERE email IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_contacts_tags ON contacts USING GIN (tags);

ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Members can manage contacts"
  ON contacts FOR ALL
  TO authenticated
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id())
  WITH CHECK (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE TRIGGER update_contacts_updated_at
  BEFORE UPDATE ON contacts
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

COMMENT ON COLUMN contacts.phone IS 'WhatsApp number in international form (+62...)';

GRANT SELECT ON workspaces TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO authenticated;
GRANT ALL ON workspaces, contacts TO service_role;

ALTER PUBLICATION supabase_realtime ADD TABLE contacts;
