// Convex's JavaScript client in Node, behind a pipe: one JSON object per line asks, JSON lines tell what happens.
// Started by clients.py, which says what each `op` is.
import { createInterface } from "node:readline";
import { ConvexClient } from "convex/browser";
import { anyApi, makeFunctionReference } from "convex/server";
import { convexToJson, jsonToConvex } from "convex/values";

const quiet = { logVerbose() {}, log() {}, warn() {}, error() {} };
const client = new ConvexClient(process.argv[2], { logger: quiet, unsavedChangesWarning: false });
const watches = new Map();
const tell = (id, event) => process.stdout.write(JSON.stringify({ id, ...event }) + "\n");
const failed = (error) => ({
  kind: "error",
  message: String(error.message),
  data: error.data === undefined ? undefined : convexToJson(error.data),
});
const value = (found) => ({ kind: "value", value: found === undefined ? null : convexToJson(found) });
const reference = (path) => makeFunctionReference(path);

const ops = {
  watch({ id, path, args }) {
    const stop = client.onUpdate(
      reference(path),
      jsonToConvex(args),
      (found) => tell(id, value(found)),
      (error) => tell(id, failed(error)),
    );
    watches.set(id, stop);
  },
  pair({ id, path, args, others }) {
    const both = [];
    const look = () => {
      const found = both.map((watch) => watch.getCurrentValue());
      if (found.length === 2 && !found.includes(undefined)) tell(id, value(found));
    };
    for (const each of [args, others]) both.push(client.onUpdate(reference(path), jsonToConvex(each), look));
  },
  pages({ id, path, args, size }) {
    const watch = client.onPaginatedUpdate_experimental(
      reference(path),
      jsonToConvex(args),
      { initialNumItems: size },
      (found) => tell(id, { kind: "value", value: [found.results, found.status] }),
    );
    watches.set(id, watch);
    watch.more = (count) => watch.getCurrentValue().loadMore(count);
  },
  more({ watch, count }) {
    watches.get(watch).more(count);
  },
  unwatch({ watch }) {
    watches.get(watch)();
  },
  async query({ id, path, args }) {
    tell(id, value(await client.query(reference(path), jsonToConvex(args))));
  },
  async mutation({ id, path, args, optimistic }) {
    const options = {};
    if (optimistic) {
      options.optimisticUpdate = (store, { list, text }) => {
        const known = store.getQuery(anyApi.items.list, { list });
        if (known !== undefined) store.setQuery(anyApi.items.list, { list }, [...known, `${text} (soon)`]);
      };
    }
    tell(id, value(await client.mutation(reference(path), jsonToConvex(args), options)));
  },
  async action({ id, path, args }) {
    tell(id, value(await client.action(reference(path), jsonToConvex(args))));
  },
  auth({ id, token }) {
    client.setAuth(
      async () => token,
      (signedIn) => tell(id, { kind: "value", value: signedIn }),
    );
  },
  unauth() {
    client.client.clearAuth();
  },
  state({ id }) {
    const { isWebSocketConnected, connectionCount } = client.client.connectionState();
    tell(id, { kind: "value", value: [isWebSocketConnected, connectionCount] });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  Promise.resolve()
    .then(() => ops[message.op](message))
    .catch((error) => tell(message.id, failed(error)));
}
await client.close();
process.exit(0);
