import { httpRouter } from "convex/server";
import { ConvexError } from "convex/values";
import { api, internal } from "./_generated/api";
import { httpAction } from "./_generated/server";
import { addRoutes } from "./differential";

const http = httpRouter();
const json = (data: unknown, init?: ResponseInit) => new Response(JSON.stringify(data), init);

http.route({
  path: "/echo",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const url = new URL(request.url);
    return new Response(await request.arrayBuffer(), {
      status: 201,
      headers: { "x-url": url.pathname + url.search, "x-host": url.host, "x-seen": request.headers.get("x-sent") ?? "", "content-type": "a/b" },
    });
  }),
});
http.route({
  pathPrefix: "/files/",
  method: "GET",
  handler: httpAction(async (ctx, request) => json(["short", new URL(request.url).pathname])),
});
http.route({
  pathPrefix: "/files/more/",
  method: "GET",
  handler: httpAction(async () => json(["long"], { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] })),
});
http.route({ path: "/files/exact", method: "GET", handler: httpAction(async () => json(["exact"])) });
for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
  http.route({
    path: "/methods",
    method,
    handler: httpAction(async (ctx, request) =>
      new Response(method === "OPTIONS" ? null : request.method + (await request.text()), {
        status: method === "OPTIONS" ? 204 : 200,
        headers: { "access-control-allow-origin": "*", "access-control-allow-methods": "PUT" },
      }),
    ),
  });
}
http.route({
  path: "/data",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const { n } = await request.json();
    await ctx.runMutation(internal.acting.put, { n });
    const doubled = await ctx.runAction(internal.acting.double, { n });
    console.log("counted", n);
    return json({ rows: await ctx.runQuery(internal.acting.list, {}), doubled });
  }),
});
http.route({
  path: "/stored",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const id = await ctx.storage.store(await request.blob());
    const blob = (await ctx.storage.get(id))!;
    return new Response(blob, { headers: { "x-id": id } });
  }),
});
http.route({
  path: "/who",
  method: "GET",
  handler: httpAction(async (ctx, request) =>
    json([(await ctx.auth.getUserIdentity())?.subject ?? null, request.headers.get("authorization")]),
  ),
});
http.route({
  path: "/header",
  method: "GET",
  handler: httpAction(async (ctx, request) => {
    const who = await ctx.auth.getUserIdentity().catch(() => "threw");
    return json([request.headers.get("authorization"), who, await ctx.runQuery(internal.acting.who, {})]);
  }),
});
http.route({
  path: "/stream",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const upper = new TransformStream({
      transform: (chunk, out) => out.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase())),
    });
    return new Response(request.body!.pipeThrough(upper));
  }),
});
http.route({
  path: "/large",
  method: "GET",
  handler: httpAction(async () => {
    const piece = new Uint8Array(1 << 20);
    let left = 21;
    return new Response(new ReadableStream({ pull: (out) => (left-- > 0 ? out.enqueue(piece) : out.close()) }));
  }),
});
http.route({
  path: "/waits",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const gone = new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(null)));
    await ctx.runMutation(internal.acting.put, { n: request.signal.aborted ? -1 : 70 });
    await gone;
    await ctx.runMutation(internal.acting.put, { n: request.signal.aborted ? 71 : -1 });
    return new Response("nobody reads this");
  }),
});
http.route({ path: "/signal", method: "GET", handler: httpAction(async (ctx, request) => json(request.signal.aborted)) });
http.route({ path: "/never", method: "GET", handler: httpAction(async () => await new Promise<Response>(() => {})) });
http.route({ path: "/throws", method: "GET", handler: httpAction(async () => { throw new Error("my words"); }) });
http.route({ path: "/data-error", method: "GET", handler: httpAction(async () => { throw new ConvexError({ code: 7 }); }) });
http.route({ path: "/nothing", method: "GET", handler: httpAction(async () => undefined as any) });
http.route({
  path: "/late",
  method: "GET",
  handler: httpAction(async () => {
    let count = 0;
    const body = new ReadableStream({
      pull(out) {
        if (count++ > 0) throw new Error("too late");
        out.enqueue(new TextEncoder().encode("begun"));
      },
    });
    return new Response(body);
  }),
});
http.route({ path: "/fails", method: "GET", handler: httpAction(async (ctx) => json(await ctx.runQuery(api.failing.plain, {}))) });
addRoutes(http);
export default http;
