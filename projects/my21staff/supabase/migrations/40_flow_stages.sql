-- 40: custom conversation stages for ARI

CREATE TABLE ari_flow_stages (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  goal TEXT NOT NULL,
  sample_script TEXT,
  exit_criteria TEXT,
  stage_order INTEGER NOT NULL,
  is_active BOOLEAN DEFAULT true,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_flow_stages_workspace ON ari_flow_stages(workspace_id);
CREATE INDEX idx_ari_flow_stages_order ON ari_flow_stages(workspace_id, stage_order) WHERE is_active;

ALTER TABLE ari_flow_stages ENABLE ROW LEVEL SECURITY;

CREATE POLICY "flow_stages_select" ON ari_flow_stages FOR SELECT
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "flow_stages_insert" ON ari_flow_stages FOR INSERT
  WITH CHECK (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "flow_stages_update" ON ari_flow_stages FOR UPDATE
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE POLICY "flow_stages_delete" ON ari_flow_stages FOR DELETE
  USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id());

CREATE TRIGGER update_ari_flow_stages_updated_at
  BEFORE UPDATE ON ari_flow_stages
  FOR EACH ROW
  EXECUTE FUNCTION update_updated_at_column();

GRANT ALL ON ari_flow_stages TO authenticated, service_role;

COMMENT ON TABLE ari_flow_stages IS 'Custom conversation stages, in stage_order';
