import { createClient } from "jsr:@supabase/supabase-js@2";

Deno.serve(async (request) => {
  const admin = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!);
  const { id } = await request.json();
  await admin.from("ari_appointments").update({ reminder_sent_at: new Date().toISOString() }).eq("id", id);
  return new Response("ok");
});
