import { api } from "./_generated/api";
import { action, mutation, query } from "./_generated/server";

const atImport = process.env.GREETING;
const read = async () => [
  process.env.GREETING ?? null,
  atImport ?? null,
  process.env.MISSING ?? null,
  "GREETING" in process.env,
  process.env.CONVEX_CLOUD_URL,
  process.env.CONVEX_SITE_URL,
];
export const inQuery = query({ handler: read });
export const inMutation = mutation({ handler: read });
export const inAction = action({ handler: read });
export const shape = query({
  handler: async () => [
    Object.keys(process),
    Object.keys(process.env),
    (process.env as any).toString ?? null,
    typeof (process.env as any).inspect,
  ],
});
export const request = mutation({ handler: async (ctx) => (await (ctx as any).meta.getRequestMetadata()).requestId });
export const requestInAction = action({
  handler: async (ctx): Promise<any> => {
    const { requestId } = await (ctx as any).meta.getRequestMetadata();
    return [requestId, await ctx.runMutation(api.environment.request, {})];
  },
});
