import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";

const http = httpRouter();
const answer = httpAction(async (_ctx, request) => new Response(`the app at ${new URL(request.url).pathname}`));
http.route({ path: "/exact", method: "GET", handler: answer });
http.route({ pathPrefix: "/files/", method: "GET", handler: answer });
export default http;
