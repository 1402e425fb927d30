-- 42: lead scoring, configurable per workspace

CREATE TABLE IF NOT EXISTS public.ari_scoring_config (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL UNIQUE REFERENCES public.workspaces(id) ON DELETE CASCADE,
  hot_threshold INTEGER DEFAULT 70,
  warm_threshold INTEGER DEFAULT 40,
  weight_basic INTEGER DEFAULT 25,
  weight_qualification INTEGER DEFAULT 35,
  weight_document INTEGER DEFAULT 30,
  weight_engagement INTEGER DEFAULT 10,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW(),

  CONSTRAINT weights_sum_100 CHECK (
    weight_basic + weight_qualification + weight_document + weight_engagement = 100
  ),
  CONSTRAINT hot_above_warm CHECK (hot_threshold > warm_threshold)
);

ALTER TABLE public.ari_scoring_config ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Members can manage scoring config"
  ON public.ari_scoring_config
  AS PERMISSIVE FOR ALL
  TO authenticated
  USING ((SELECT auth.uid()) IS NOT NULL AND workspace_id = (SELECT public.current_workspace_id()))
  WITH CHECK ((SELECT auth.uid()) IS NOT NULL AND workspace_id = (SELECT public.current_workspace_id()));

CREATE OR REPLACE TRIGGER update_ari_scoring_config_updated_at
  BEFORE UPDATE ON public.ari_scoring_config
  FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

GRANT SELECT, INSERT, UPDATE ON public.ari_scoring_config TO authenticated;
GRANT ALL ON public.ari_scoring_config TO service_role;

COMMENT ON TABLE public.ari_scoring_config IS 'Lead scoring thresholds and weights, one row per workspace';
COMMENT ON CONSTRAINT weights_sum_100 ON public.ari_scoring_config IS 'The four weights are percentages';
