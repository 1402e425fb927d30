// Another library's chains look alike, and a query of Convex does too.
import knex from "knex";
import { drizzle } from "drizzle-orm/node-postgres";

const sql = knex({ client: "pg" });
export const rows = () => knex.from("articles").select("title");
export const more = () => sql.select("title").from("articles");
export const other = (db: ReturnType<typeof drizzle>) => db.select().from("articles" as never);
export const word = "supabase";
