import { HOUR, RateLimiter } from "@convex-dev/rate-limiter";
import { ShardedCounter } from "@convex-dev/sharded-counter";
import { components } from "./_generated/api";
import { mutation, query } from "./_generated/server";

const limiter = new RateLimiter((components as any).rateLimiter, {
  signUp: { kind: "fixed window", rate: 2, period: HOUR },
  send: { kind: "token bucket", rate: 1, period: HOUR, capacity: 3 },
});
const counter = new ShardedCounter((components as any).shardedCounter, { defaultShards: 4 });

export const limit = mutation({
  handler: async (ctx, { name, key }: any): Promise<any> => (await limiter.limit(ctx, name, { key })).ok,
});
export const limitOrThrow = mutation({
  handler: async (ctx, { name, key }: any): Promise<any> => {
    await ctx.db.insert("users", { name: key });
    await limiter.limit(ctx, name, { key, throws: true });
  },
});
export const reset = mutation({ handler: async (ctx, { name, key }: any): Promise<any> => await limiter.reset(ctx, name, { key }) });
export const count = mutation({ handler: async (ctx, { name, by }: any): Promise<any> => await counter.add(ctx, name, by) });
export const counted = query({ handler: async (ctx, { name }: any): Promise<any> => await counter.count(ctx, name) });
export const addUser = mutation({ handler: async (ctx, user: any) => await ctx.db.insert("users", user) });
