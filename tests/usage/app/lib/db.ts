import { createClient } from "@supabase/supabase-js";

// A client that no name tells as one: it is followed to where it is imported.
export const db = createClient(process.env.SUPABASE_URL!, process.env.SUPABASE_SERVICE_ROLE_KEY!);
