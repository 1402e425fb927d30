import { v } from "convex/values";
import { action } from "./_generated/server";

export const sleep = action({
  args: { ms: v.number() },
  handler: (_, { ms }) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
});
