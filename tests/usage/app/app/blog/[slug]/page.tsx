import { notFound } from "next/navigation";
import { createClient } from "@/lib/supabase/server";

export default async function Page({ params }: { params: { slug: string; workspace: string } }) {
  const supabase = await createClient();
  // supabase.from("comments").select("*") was here once.
  const { data: article } = await supabase
    .from("articles")
    .select("title, content, published_at")
    .eq("workspace_id", params.workspace) // whose blog it is
    .eq("slug", params.slug)
    .single();
  if (!article) notFound();

  /* The newest of this workspace:
     await supabase.from("articles").delete() is not what it does. */
  const { data: newest } = await supabase
    .from(`articles`)
    .select("id, title")
    .eq("workspace_id", params.workspace)
    .eq("status", "published")
    .lte("published_at", new Date().toISOString())
    .order("published_at", { ascending: false })
    .limit(5);

  return (
    <article title='supabase.from("webinars").select()'>
      <h1>{article.title}</h1>
      {newest?.map((one) => <a key={one.id}>{one.title}</a>)}
    </article>
  );
}
