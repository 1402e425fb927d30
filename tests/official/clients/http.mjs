// ConvexHttpClient and convex/nextjs in plain Node: what each call gives, as one JSON object.
import { ConvexHttpClient } from "convex/browser";
import { fetchAction, fetchMutation, fetchQuery, preloadedQueryResult, preloadQuery } from "convex/nextjs";
import { anyApi as api } from "convex/server";
import { convexToJson } from "convex/values";

const [url, key, token] = process.argv.slice(2);
const client = () => new ConvexHttpClient(url, { logger: false });
const failure = (promise) =>
  promise.then(
    () => null,
    (error) => ({ message: error.message, data: error.data === undefined ? null : convexToJson(error.data) }),
  );
const found = {};
const plain = client();
await plain.mutation(api.items.add, { list: "http", text: "a" });
found.query = await plain.query(api.items.list, { list: "http" });
const at = plain.consistentQuery(api.counters.get, { name: "http" });
found.consistent = [await at];
await plain.mutation(api.counters.bump, { names: ["http"] });
found.consistent.push(await plain.consistentQuery(api.counters.get, { name: "http" }));
found.now = await plain.query(api.counters.get, { name: "http" });
const value = { int: 7n, bytes: new Uint8Array([1, 2]).buffer, nan: NaN, zero: -0, text: "é" };
found.action = convexToJson(await plain.action(api.values.through, { value }));
found.nobody = await plain.query(api.people.me, {});
found.refused = await failure(plain.mutation(api.items.refuse, { list: "http" }));
found.unknown = await failure(plain.query(api.items.nothing, {}));
found.internal = await failure(plain.mutation(api.items.hidden, {}));
const user = client();
user.setAuth(token);
found.user = await user.query(api.people.me, {});
user.clearAuth();
found.cleared = await user.query(api.people.me, {});
const wrong = client();
wrong.setAuth("no token");
found.wrong = await failure(wrong.query(api.people.me, {}));
const admin = client();
admin.setAdminAuth(key);
found.admin = await admin.mutation(api.items.hidden, {});
admin.setAdminAuth(key, { issuer: "https://issuer.example", subject: "acted" });
found.acting = await admin.query(api.people.me, {});
found.next = [
  await fetchQuery(api.items.list, { list: "http" }, { url }),
  await fetchMutation(api.items.add, { list: "http", text: "next" }, { url }),
  await fetchAction(api.people.act, {}, { url, token }),
  preloadedQueryResult(await preloadQuery(api.items.list, { list: "http" }, { url })),
];
console.log(JSON.stringify(found));
