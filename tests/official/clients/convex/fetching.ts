import { v } from "convex/values";
import { action } from "./_generated/server";

export const get = action({
  args: { url: v.string() },
  handler: async (_, { url }) => (await fetch(url)).text(),
});
