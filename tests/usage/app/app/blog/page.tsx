import { createClient } from "@/lib/supabase/server";

const PAGE = 20;

export default async function Blog({ searchParams }: { searchParams: { page?: string; q?: string; status?: string } }) {
  const supabase = await createClient();
  const from = Number(searchParams.page ?? 0) * PAGE;

  let query = supabase.from("articles").select("*", { count: "exact" }).eq("workspace_id", process.env.WORKSPACE!);
  if (searchParams.status) query = query.eq("status", searchParams.status);
  if (searchParams.q) {
    query = query.ilike("title", `%${searchParams.q}%`);
  }
  const { data, count } = await query.order("created_at", { ascending: false }).range(from, from + PAGE - 1);

  const { count: drafts } = await supabase
    .from("articles")
    .select("*", { count: "exact", head: true })
    .eq("status", "draft");

  return <p>{`${data?.length} of ${count}, ${drafts} drafts: supabase.from("articles").select()`}</p>;
}
