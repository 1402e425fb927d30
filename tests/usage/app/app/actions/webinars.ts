"use server";
import { revalidatePath } from "next/cache";
import { createClient } from "@/lib/supabase/server";

const WEBINARS = "webinars" as const;
const REGISTRATIONS = "webinar_registrations";

export async function createWebinar(form: FormData, workspaceId: string) {
  const supabase = await createClient();
  const { data, error } = await supabase
    .from("webinars")
    .insert({
      workspace_id: workspaceId,
      title: form.get("title") as string,
      slug: slugify(form.get("title") as string),
      scheduled_at: form.get("at") as string,
      status: "draft",
      published_at: null,
    })
    .select("id")
    .single();
  if (error) throw error;
  revalidatePath("/webinars");
  return data.id;
}

export async function publish(id: string) {
  const supabase = await createClient();
  await supabase.from("webinars").update({ status: "published", published_at: new Date().toISOString() }).eq("id", id);
}

export async function register(webinarId: string, contactId: string, workspaceId: string) {
  const supabase = await createClient();
  const registrations = supabase.from(REGISTRATIONS);
  await registrations.upsert(
    { webinar_id: webinarId, contact_id: contactId, workspace_id: workspaceId },
    { onConflict: "webinar_id,contact_id", ignoreDuplicates: true },
  );
  const { data } = await registrations
    .select("*, webinar:webinars(title, scheduled_at), contacts!inner(name, email)")
    .eq("webinar_id", webinarId)
    .eq("attended", false);
  return data;
}

export async function cancel(ids: string[]) {
  const supabase = await createClient();
  await supabase.from("webinars").delete().in("id", ids);
  await supabase.from("webinar_registrations").delete().eq("webinar_id", ids[0]);
}

export async function upcoming(workspaceId: string) {
  const supabase = await createClient();
  return supabase
    .from("webinars")
    .select("id, title, webinar_registrations(count)")
    .eq("workspace_id", workspaceId)
    .gte("scheduled_at", new Date().toISOString())
    .in("status", ["published", "completed"])
    .order("scheduled_at");
}

export const slugify = (text: string) => text.toLowerCase().split(" ").join("-");
export const tables = Array.from(WEBINARS);
