import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";

const http = httpRouter();
http.route({
  path: "/sales",
  method: "GET",
  handler: httpAction(async (_ctx, request) => new Response(`sold at ${new URL(request.url).pathname}`)),
});
const who = httpAction(async (ctx) => Response.json(await ctx.auth.getUserIdentity()));
http.route({ path: "/who", method: "GET", handler: who });
export default http;
