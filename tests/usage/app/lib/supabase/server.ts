import { createServerClient } from "@supabase/ssr";
import { cookies } from "next/headers";
import type { Database } from "@/types/database.types";

export async function createClient() {
  const store = await cookies();
  return createServerClient<Database>(process.env.NEXT_PUBLIC_SUPABASE_URL!, process.env["NEXT_PUBLIC_SUPABASE_ANON_KEY"]!, {
    cookies: { getAll: () => store.getAll() },
  });
}
