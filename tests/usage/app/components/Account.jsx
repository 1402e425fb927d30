import { supabase } from "../lib/browser";

export function Account({ user }) {
  const upload = async (file) => {
    await supabase.storage.from("avatars").upload(`${user.id}.png`, file, { upsert: true });
    return supabase.storage.from("avatars").getPublicUrl(`${user.id}.png`).data.publicUrl;
  };
  const bytes = Buffer.from("articles");
  return (
    <>
      <input type="file" onChange={(event) => upload(event.target.files[0])} />
      <button onClick={() => supabase.auth.signOut()}>{bytes.length}</button>
      <button onClick={async () => supabase.functions.invoke("notify", { body: { user: user.id } })}>notify</button>
    </>
  );
}
