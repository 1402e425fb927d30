// The app's own schema, written by hand: the tables that are in Convex already, and the twelve that come.
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { supavexTables } from "./supavexTables";

export default defineSchema({
  ...supavexTables,

  workspaces: defineTable({
    name: v.string(),
    slug: v.string(),
    supabaseId: v.optional(v.string()),
    created_at: v.number(),
    updated_at: v.number(),
  }).index("by_slug", ["slug"]),

  contacts: defineTable({
    workspace_id: v.id("workspaces"),
    name: v.string(),
    phone: v.string(),
    email: v.optional(v.string()),
    tags: v.array(v.string()),
    supabaseId: v.optional(v.string()),
    created_at: v.number(),
    updated_at: v.number(),
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_supabase_id", ["supabaseId"]),

  ariConversations: defineTable({
    workspace_id: v.id("workspaces"),
    contact_id: v.id("contacts"),
    status: v.string(),
    ai_model: v.optional(v.string()),
    lead_score: v.number(),
    supabaseId: v.optional(v.string()),
    created_at: v.number(),
    updated_at: v.number(),
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_contact", ["contact_id"])
    .index("by_supabase_id", ["supabaseId"]),
});
