-- 34: ARI (AI receptionist): conversations, destinations, payments, appointments, model comparison

-- ============================================
-- 1. CONVERSATIONS
-- ============================================

CREATE TABLE IF NOT EXISTS ari_conversations (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  contact_id UUID NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
  status VARCHAR(20) NOT NULL DEFAULT 'greeting'
    CHECK (status IN ('greeting', 'qualifying', 'scoring', 'booking', 'payment', 'handoff', 'completed')),
  ai_model VARCHAR(50),
  lead_score INTEGER DEFAULT 0 CHECK (lead_score >= 0 AND lead_score <= 100),
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE INDEX idx_ari_conversations_workspace ON ari_conversations(workspace_id);
CREATE INDEX idx_ari_conversations_contact ON ari_conversations(contact_id);
CREATE INDEX idx_ari_conversations_hot ON ari_conversations(workspace_id, lead_score DESC)
  WHERE lead_score >= 70 AND status <> 'completed';

-- ============================================
-- 2. DESTINATIONS (university knowledge base)
-- ============================================

CREATE TABLE IF NOT EXISTS ari_destinations (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  country VARCHAR(100) NOT NULL,
  city VARCHAR(100),
  university_name VARCHAR(255) NOT NULL,
  requirements JSONB DEFAULT '{}'::jsonb,
  programs TEXT[] DEFAULT '{}',
  is_promoted BOOLEAN DEFAULT false,
  priority INTEGER DEFAULT 0,
  notes TEXT,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_destinations_workspace ON ari_destinations(workspace_id);
CREATE INDEX idx_ari_destinations_country ON ari_destinations(workspace_id, country);
CREATE INDEX idx_ari_destinations_promoted ON ari_destinations(workspace_id, priority DESC) WHERE is_promoted;

-- ============================================
-- 3. PAYMENTS
-- ============================================

CREATE TABLE IF NOT EXISTS ari_payments (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  ari_conversation_id UUID NOT NULL REFERENCES ari_conversations(id) ON DELETE CASCADE,
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  amount NUMERIC(12,2) NOT NULL,
  currency VARCHAR(3) DEFAULT 'IDR',
  payment_method VARCHAR(50),
  gateway VARCHAR(50) DEFAULT 'midtrans',
  gateway_transaction_id VARCHAR(255),
  gateway_response JSONB,
  status VARCHAR(20) DEFAULT 'pending' CHECK (status IN ('pending', 'success', 'failed', 'expired', 'refunded')),
  expires_at TIMESTAMPTZ,
  paid_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_payments_workspace ON ari_payments(workspace_id);
CREATE INDEX idx_ari_payments_conversation ON ari_payments(ari_conversation_id);
CREATE INDEX idx_ari_payments_pending ON ari_payments(expires_at) WHERE status = 'pending';
CREATE UNIQUE INDEX idx_ari_payments_gateway_transaction
  ON ari_payments(gateway, gateway_transaction_id)
  WHERE gateway_transaction_id IS NOT NULL;

-- ============================================
-- 4. APPOINTMENTS
-- ============================================

CREATE TABLE IF NOT EXISTS ari_appointments (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  ari_conversation_id UUID NOT NULL REFERENCES ari_conversations(id) ON DELETE CASCADE,
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  payment_id UUID REFERENCES ari_payments(id) ON DELETE SET NULL,
  consultant_id UUID REFERENCES auth.users(id) ON DELETE SET NULL,
  scheduled_at TIMESTAMPTZ NOT NULL,
  duration_minutes INTEGER DEFAULT 60,
  meeting_link TEXT,
  status VARCHAR(20) NOT NULL DEFAULT 'scheduled'
    CHECK (status IN ('scheduled', 'confirmed', 'completed', 'cancelled', 'no_show')),
  notes TEXT,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_appointments_workspace ON ari_appointments(workspace_id);
CREATE INDEX idx_ari_appointments_consultant ON ari_appointments(consultant_id, scheduled_at)
  WHERE status IN ('scheduled', 'confirmed');

-- ============================================
-- 5. AI MODEL COMPARISON (A/B test)
-- ============================================

CREATE TABLE IF NOT EXISTS ari_ai_comparison (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  ai_model VARCHAR(50) NOT NULL,
  conversation_count INTEGER DEFAULT 0,
  avg_response_time_ms INTEGER,
  total_tokens_used BIGINT DEFAULT 0,
  conversion_count INTEGER DEFAULT 0,
  satisfaction_score NUMERIC(3,2),
  period_start TIMESTAMPTZ,
  period_end TIMESTAMPTZ,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE INDEX idx_ari_ai_comparison_workspace_model ON ari_ai_comparison(workspace_id, ai_model);

-- ============================================
-- RLS + updated_at, the same for all five
-- ============================================

DO $$
DECLARE
  t TEXT;
BEGIN
  FOREACH t IN ARRAY ARRAY[
    'ari_conversations', 'ari_destinations', 'ari_payments', 'ari_appointments', 'ari_ai_comparison'
  ]
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format(
      'CREATE POLICY "Members can view" ON %I FOR SELECT TO authenticated '
      'USING (auth.uid() IS NOT NULL AND workspace_id = public.current_workspace_id())', t);
    EXECUTE format(
      'CREATE POLICY "Service role full access" ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', t);
    EXECUTE format(
      'CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()',
      'update_' || t || '_updated_at', t);
  END LOOP;
END $$;

CREATE POLICY "Members can manage destinations"
  ON ari_destinations FOR ALL
  TO authenticated
  USING (workspace_id = public.current_workspace_id())
  WITH CHECK (workspace_id = public.current_workspace_id());

CREATE POLICY "Consultants can update their appointments"
  ON ari_appointments FOR UPDATE
  TO authenticated
  USING (consultant_id = (SELECT auth.uid()));

-- ============================================
-- REVENUE VIEW (dashboard)
-- ============================================

CREATE OR REPLACE VIEW ari_payment_summary WITH (security_invoker = true) AS
SELECT
  workspace_id,
  COALESCE(currency, 'IDR') AS currency,
  status,
  COUNT(*) AS payment_count,
  SUM(amount) AS total_amount
FROM ari_payments
GROUP BY workspace_id, COALESCE(currency, 'IDR'), status;

-- ============================================
-- REALTIME, GRANTS, COMMENTS
-- ============================================

DO $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM pg_publication_tables
    WHERE pubname = 'supabase_realtime' AND schemaname = 'public' AND tablename = 'ari_conversations'
  ) THEN
    ALTER PUBLICATION supabase_realtime ADD TABLE public.ari_conversations;
  END IF;
END $$;

ALTER PUBLICATION supabase_realtime ADD TABLE ari_payments, ari_appointments;
ALTER TABLE ari_appointments REPLICA IDENTITY FULL;

GRANT SELECT ON ari_conversations, ari_payments, ari_ai_comparison, ari_payment_summary TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ari_destinations, ari_appointments TO authenticated;
GRANT ALL ON ari_conversations, ari_destinations, ari_payments, ari_appointments, ari_ai_comparison TO service_role;

COMMENT ON TABLE ari_destinations IS 'University knowledge base for ARI';
COMMENT ON COLUMN ari_destinations.requirements IS 'ielts_min, gpa_min, budget_min, budget_max, deadline';
COMMENT ON TABLE ari_payments IS 'Consultation payments';
COMMENT ON COLUMN ari_payments.gateway_response IS 'Raw notification from the payment gateway';
COMMENT ON TABLE ari_ai_comparison IS 'A/B testing metrics, one row per model and period';
