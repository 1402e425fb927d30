"""Fills in scores: supabase.table("articles").select("*")."""

import os

from supabase import Client, create_client

TABLE = "ari_scoring_config"
client: Client = create_client(os.environ["SUPABASE_URL"], os.getenv("SUPABASE_SERVICE_ROLE_KEY"))


def run(workspace: str, name: str) -> None:
    # client.table("webinars").delete()
    rows = (
        client.table("ari_flow_stages")
        .select("id, name, stage_order", count="exact")
        .eq("workspace_id", workspace)
        .gt("stage_order", 2)
        .not_.is_("sample_script", "null")
        .order("stage_order", desc=True)
        .limit(1)
        .execute()
    )
    client.table(TABLE).update({"hot_threshold": 80}).eq("workspace_id", workspace).execute()
    client.from_(name).insert({"id": 1}).execute()
    client.rpc("recompute", {"workspace": workspace}).execute()
    client.storage.from_("exports").upload("a.csv", b"")
    client.auth.sign_in_with_password({"email": "a@b.c", "password": "x"})
    print(
        rows, f"supabase.table('articles') {client.table('articles').select('slug').in_('status', ['draft']).execute()}"
    )
