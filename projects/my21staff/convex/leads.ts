import { v } from "convex/values";
import type { Doc, Id } from "./_generated/dataModel";
import { internalMutation, query, type QueryCtx } from "./_generated/server";
import { defaults } from "./defaults";
import { refusal } from "./errors";
import { signedIn, workspaceOf } from "./workspaces";

const temperature = v.union(v.literal("hot"), v.literal("warm"), v.literal("cold"));
const lead = v.object({
  ari_conversation_id: v.id("ariConversations"),
  contact: v.union(v.string(), v.null()),
  score: v.number(),
  temperature,
});
type Config = typeof defaults.ariScoringConfig;

/** The leads of a workspace, the hottest first. */
export const list = query({
  args: { workspace: v.string() },
  returns: v.array(lead),
  handler: async (ctx, args) => {
    await signedIn(ctx);
    const workspace = await workspaceOf(ctx, args.workspace);
    const config = await configOf(ctx, workspace._id);
    const conversations = await ctx.db
      .query("ariConversations")
      .withIndex("by_workspace", (q) => q.eq("workspace_id", workspace._id))
      .collect();
    const leads = await Promise.all(conversations.map((conversation) => leadOf(ctx, conversation, config)));
    return leads.sort((a, b) => b.score - a.score);
  },
});

/** How one lead stands, by the thresholds of its workspace. */
export const get = query({
  args: { ari_conversation_id: v.id("ariConversations") },
  returns: lead,
  handler: async (ctx, args) => {
    await signedIn(ctx);
    const conversation = await ctx.db.get(args.ari_conversation_id);
    if (conversation === null) throw refusal("ConversationNotFound", "There is no such conversation.");
    return await leadOf(ctx, conversation, await configOf(ctx, conversation.workspace_id));
  },
});

/** Scores a lead: how far ARI has come in each of four parts (0 to 1), by the weights of its workspace. */
export const score = internalMutation({
  args: {
    ari_conversation_id: v.id("ariConversations"),
    basic: v.number(),
    qualification: v.number(),
    document: v.number(),
    engagement: v.number(),
  },
  returns: lead,
  handler: async (ctx, { ari_conversation_id, ...parts }) => {
    const conversation = await ctx.db.get(ari_conversation_id);
    if (conversation === null) throw refusal("ConversationNotFound", "There is no such conversation.");
    for (const [name, part] of Object.entries(parts)) {
      if (!(part >= 0 && part <= 1)) throw refusal("InvalidPart", `${name} is a number from 0 to 1.`);
    }
    const config = await configOf(ctx, conversation.workspace_id);
    const lead_score = Math.round(
      parts.basic * config.weight_basic +
        parts.qualification * config.weight_qualification +
        parts.document * config.weight_document +
        parts.engagement * config.weight_engagement,
    );
    await ctx.db.patch(ari_conversation_id, { lead_score, updated_at: Date.now() });
    return await leadOf(ctx, { ...conversation, lead_score }, config);
  },
});

/** The workspace's weights and thresholds, or the usual ones. */
async function configOf(ctx: QueryCtx, workspace: Id<"workspaces">): Promise<Config> {
  const config = await ctx.db
    .query("ariScoringConfig")
    .withIndex("by_workspace", (q) => q.eq("workspace_id", workspace))
    .unique();
  return config ?? defaults.ariScoringConfig;
}

async function leadOf(ctx: QueryCtx, conversation: Doc<"ariConversations">, config: Config) {
  const contact = await ctx.db.get(conversation.contact_id);
  return {
    ari_conversation_id: conversation._id,
    contact: contact?.name ?? null,
    score: conversation.lead_score,
    temperature: temperatureOf(conversation.lead_score, config),
  };
}

function temperatureOf(score: number, config: Config): "hot" | "warm" | "cold" {
  if (score >= config.hot_threshold) return "hot";
  return score >= config.warm_threshold ? "warm" : "cold";
}
