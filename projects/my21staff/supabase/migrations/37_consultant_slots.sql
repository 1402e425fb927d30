-- 37: consultant availability + appointment reminders

CREATE TABLE IF NOT EXISTS consultant_slots (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id UUID NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
  consultant_id UUID REFERENCES auth.users(id) ON DELETE CASCADE,
  day_of_week INTEGER NOT NULL CHECK (day_of_week BETWEEN 0 AND 6),
  start_time TIME NOT NULL,
  end_time TIME NOT NULL,
  duration_minutes INTEGER DEFAULT 60,
  booking_window_days INTEGER DEFAULT 14,
  is_active BOOLEAN DEFAULT true,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW()
);

ALTER TABLE consultant_slots ADD COLUMN IF NOT EXISTS max_bookings_per_slot INTEGER DEFAULT 1;

-- re-runnable: there is no ADD CONSTRAINT IF NOT EXISTS
DO $$
BEGIN
  ALTER TABLE consultant_slots
    ADD CONSTRAINT consultant_slots_valid_time_range CHECK (end_time > start_time);
EXCEPTION
  WHEN duplicate_object THEN NULL;
END $$;

CREATE INDEX IF NOT EXISTS idx_consultant_slots_workspace ON consultant_slots(workspace_id);
CREATE INDEX IF NOT EXISTS idx_consultant_slots_day
  ON consultant_slots(workspace_id, day_of_week)
  WHERE is_active = true;

-- reminders are sent by a cron job one day before
ALTER TABLE ari_appointments ADD COLUMN IF NOT EXISTS reminder_sent_at TIMESTAMPTZ;

CREATE INDEX IF NOT EXISTS idx_ari_appointments_reminder
  ON ari_appointments(scheduled_at)
  WHERE reminder_sent_at IS NULL AND status IN ('scheduled', 'confirmed');

-- Slots of one day, without those that are fully booked. Called by ARI (rpc).
CREATE OR REPLACE FUNCTION get_available_slots(p_workspace_id UUID, p_date DATE)
RETURNS TABLE (slot_id UUID, consultant_id UUID, start_time TIME, end_time TIME)
LANGUAGE sql
STABLE
AS $$
  SELECT s.id, s.consultant_id, s.start_time, s.end_time
  FROM consultant_slots s
  WHERE s.workspace_id = p_workspace_id
    AND s.is_active
    AND s.day_of_week = EXTRACT(DOW FROM p_date)
    AND p_date <= CURRENT_DATE + s.booking_window_days
    AND (
      SELECT COUNT(*)
      FROM ari_appointments a
      WHERE a.consultant_id = s.consultant_id
        AND a.status IN ('scheduled', 'confirmed')
        AND (a.scheduled_at AT TIME ZONE 'Asia/Jakarta')::date = p_date
        AND (a.scheduled_at AT TIME ZONE 'Asia/Jakarta')::time >= s.start_time
        AND (a.scheduled_at AT TIME ZONE 'Asia/Jakarta')::time < s.end_time
    ) < s.max_bookings_per_slot
  ORDER BY s.start_time
$$;

ALTER TABLE consultant_slots ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Members can view slots" ON consultant_slots
  FOR SELECT TO authenticated
  USING (workspace_id = public.current_workspace_id());

CREATE POLICY "Consultants can manage own slots" ON consultant_slots
  FOR ALL TO authenticated
  USING (consultant_id = auth.uid())
  WITH CHECK (consultant_id = auth.uid());

DROP TRIGGER IF EXISTS update_consultant_slots_updated_at ON consultant_slots;
CREATE TRIGGER update_consultant_slots_updated_at
  BEFORE UPDATE ON consultant_slots
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON consultant_slots TO authenticated;
GRANT ALL ON consultant_slots TO service_role;
GRANT EXECUTE ON FUNCTION get_available_slots(UUID, DATE) TO authenticated, service_role;

COMMENT ON TABLE consultant_slots IS 'Weekly booking availability of consultants';
COMMENT ON COLUMN consultant_slots.day_of_week IS '0 = Sunday ... 6 = Saturday';
COMMENT ON COLUMN consultant_slots.start_time IS 'Local time (WIB)';
