-- 41: knowledge base that workspaces write themselves

CREATE TABLE ari_knowledge_categories (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  description TEXT,
  display_order INTEGER DEFAULT 0,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE TABLE ari_knowledge_entries (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  category_id UUID REFERENCES ari_knowledge_categories(id) ON DELETE SET NULL,
  title TEXT NOT NULL,
  content TEXT NOT NULL,
  is_active BOOLEAN DEFAULT true,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_knowledge_categories_workspace
  ON ari_knowledge_categories(workspace_id, display_order);
CREATE INDEX idx_ari_knowledge_entries_workspace ON ari_knowledge_entries(workspace_id);
CREATE INDEX idx_ari_knowledge_entries_category ON ari_knowledge_entries(category_id) WHERE category_id IS NOT NULL;
CREATE INDEX idx_ari_knowledge_entries_search
  ON ari_knowledge_entries USING GIN (to_tsvector('simple', title || ' ' || content));

ALTER TABLE ari_knowledge_categories ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_knowledge_entries ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Members can manage knowledge categories" ON ari_knowledge_categories
  FOR ALL USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "Members can manage knowledge entries" ON ari_knowledge_entries
  FOR ALL USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE TRIGGER update_ari_knowledge_categories_updated_at
  BEFORE UPDATE ON ari_knowledge_categories
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_ari_knowledge_entries_updated_at
  BEFORE UPDATE ON ari_knowledge_entries
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

GRANT ALL ON ari_knowledge_categories, ari_knowledge_entries TO authenticated, service_role;

COMMENT ON TABLE ari_knowledge_entries IS 'What ARI may answer from';
