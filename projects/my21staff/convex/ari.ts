import { v } from "convex/values";
import { internalMutation, internalQuery, query } from "./_generated/server";
import { withDefaults } from "./defaults";
import { refusal } from "./errors";
import { signedIn, workspaceOf } from "./workspaces";

/** What ARI may answer from: active entries by category in display order, those without a category last. */
export const knowledge = internalQuery({
  args: { workspace_id: v.id("workspaces") },
  returns: v.array(
    v.object({
      category: v.union(v.string(), v.null()),
      entries: v.array(v.object({ title: v.string(), content: v.string() })),
    }),
  ),
  handler: async (ctx, { workspace_id }) => {
    const categories = await ctx.db
      .query("ariKnowledgeCategories")
      .withIndex("by_workspace_order", (q) => q.eq("workspace_id", workspace_id))
      .collect();
    const entries = await ctx.db
      .query("ariKnowledgeEntries")
      .withIndex("by_workspace", (q) => q.eq("workspace_id", workspace_id))
      .collect();
    const active = entries.filter((entry) => entry.is_active);
    const own = new Set(categories.map((category) => category._id));
    const groups = categories.map((category) => ({
      category: category.name as string | null,
      of: active.filter((entry) => entry.category_id === category._id),
    }));
    const loose = active.filter((entry) => entry.category_id === undefined || !own.has(entry.category_id));
    return [...groups, { category: null, of: loose }]
      .filter((group) => group.of.length > 0)
      .map(({ category, of }) => ({ category, entries: of.map(({ title, content }) => ({ title, content })) }));
  },
});

/** The stages that a conversation goes through, in order. */
export const stages = internalQuery({
  args: { workspace_id: v.id("workspaces") },
  returns: v.array(v.object({ name: v.string(), goal: v.string(), exit_criteria: v.union(v.string(), v.null()) })),
  handler: async (ctx, { workspace_id }) => {
    const stages = await ctx.db
      .query("ariFlowStages")
      .withIndex("by_workspace_order", (q) => q.eq("workspace_id", workspace_id))
      .collect();
    return stages
      .filter((stage) => stage.is_active)
      .map(({ name, goal, exit_criteria }) => ({ name, goal, exit_criteria: exit_criteria ?? null }));
  },
});

/** Universities of a country: promoted ones first, then by priority. */
export const destinations = query({
  args: { workspace: v.string(), country: v.string() },
  returns: v.array(
    v.object({ university_name: v.string(), city: v.union(v.string(), v.null()), programs: v.array(v.string()) }),
  ),
  handler: async (ctx, args) => {
    const workspace = await workspaceOf(ctx, args.workspace);
    const destinations = await ctx.db
      .query("ariDestinations")
      .withIndex("by_workspace_country", (q) => q.eq("workspace_id", workspace._id).eq("country", args.country))
      .collect();
    return destinations
      .sort((a, b) => Number(b.is_promoted) - Number(a.is_promoted) || b.priority - a.priority)
      .map(({ university_name, city, programs }) => ({
        university_name,
        city: city ?? null,
        programs: programs ?? [],
      }));
  },
});

/** How the AI models of a workspace compare: conversions for each conversation, the best first. */
export const comparison = query({
  args: { workspace: v.string() },
  returns: v.array(v.object({ ai_model: v.string(), conversations: v.number(), conversion_rate: v.number() })),
  handler: async (ctx, args) => {
    await signedIn(ctx);
    const workspace = await workspaceOf(ctx, args.workspace);
    const rows = await ctx.db
      .query("ariAiComparison")
      .withIndex("by_workspace_model", (q) => q.eq("workspace_id", workspace._id))
      .collect();
    const models = new Map<string, { conversations: number; conversions: number }>();
    for (const row of rows) {
      const sum = models.get(row.ai_model) ?? { conversations: 0, conversions: 0 };
      sum.conversations += row.conversation_count;
      sum.conversions += row.conversion_count;
      models.set(row.ai_model, sum);
    }
    return [...models]
      .map(([ai_model, { conversations, conversions }]) => ({
        ai_model,
        conversations,
        conversion_rate: conversations === 0 ? 0 : conversions / conversations,
      }))
      .sort((a, b) => b.conversion_rate - a.conversion_rate);
  },
});

/** Counts what a model has done, in the row of the period that is open (it has no end yet). */
export const count = internalMutation({
  args: { workspace_id: v.id("workspaces"), ai_model: v.string(), tokens: v.number(), converted: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { workspace_id, ai_model, tokens, converted }) => {
    if (!(tokens >= 0)) throw refusal("InvalidTokens", "Tokens are a number from 0.");
    const rows = await ctx.db
      .query("ariAiComparison")
      .withIndex("by_workspace_model", (q) => q.eq("workspace_id", workspace_id).eq("ai_model", ai_model))
      .collect();
    const open = rows.find((row) => row.period_end === undefined);
    const now = Date.now();
    const conversion_count = converted ? 1 : 0;
    if (open === undefined) {
      const counts = { conversation_count: 1, total_tokens_used: tokens, conversion_count };
      const times = { period_start: now, created_at: now, updated_at: now };
      await ctx.db.insert(
        "ariAiComparison",
        withDefaults("ariAiComparison", { workspace_id, ai_model, ...counts, ...times }),
      );
      return null;
    }
    await ctx.db.patch(open._id, {
      conversation_count: open.conversation_count + 1,
      total_tokens_used: open.total_tokens_used + tokens,
      conversion_count: open.conversion_count + conversion_count,
      updated_at: now,
    });
    return null;
  },
});
