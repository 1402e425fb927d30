import { db } from "@/lib/db";

type Contact = { id: string };

export async function find(text: string, tags: string[], ids: string[], email: string | null): Promise<Contact[]> {
  const byText = await db.from("contacts").select("id, name").textSearch("name", text).limit(10);
  const byTags = await db.from("contacts").select("*").contains("tags", tags).order("name").limit(10);
  const byIds = await db.from("contacts").select("*, workspaces(name)").in("id", ids);
  const noEmail = await db.from("contacts").select("id").not("email", "is", null).eq("phone", email).maybeSingle();
  const odd = await db.from("contacts").select("nickname, legacy_id").eq("legacy_id", 7);
  const old = await db.schema("archive").from("contacts").select("id");
  const nothing = await db.from("invoices").select("id");
  return [byText, byTags, byIds, noEmail, odd, old, nothing].flatMap((one) => (one.data as Contact[]) ?? []);
}

export async function rename(id: string, name: string, changes: object) {
  await db.from("contacts").update({ name }).eq("id", id).eq("workspace_id", name);
  await db.from("contacts").update(changes).match({ id });
  await db.from("contacts").insert([{ name }, { name: "b" }]);
  await db.from("contacts").upsert(changes, { onConflict: "workspace_id,phone" });
  return db.from("contacts").upsert(changes);
}
