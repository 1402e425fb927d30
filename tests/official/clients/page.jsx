// An app in React: each watch is a component that uses `useQuery` or `usePaginatedQuery`, as apps do.
// clients.py serves it to Chromium; `window.ask` takes what node.mjs takes, `window.told` collects what happens.
import { Component, useEffect, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { ConvexProvider, ConvexReactClient, useMutation, usePaginatedQuery, useQuery } from "convex/react";
import { anyApi, makeFunctionReference } from "convex/server";
import { convexToJson, jsonToConvex } from "convex/values";

const quiet = { logVerbose() {}, log() {}, warn() {}, error() {} };
const client = new ConvexReactClient(new URLSearchParams(location.search).get("url"), { logger: quiet, unsavedChangesWarning: false });
const reference = (path) => makeFunctionReference(path);
const value = (found) => ({ kind: "value", value: found === undefined ? null : convexToJson(found) });
const failed = (error) => ({
  kind: "error",
  message: String(error.message),
  data: error.data === undefined ? undefined : convexToJson(error.data),
});

window.told = [];
const tell = (id, event) => window.told.push({ id, ...event });

let shown = [];
const listeners = new Set();
const show = (next) => {
  shown = next;
  listeners.forEach((listener) => listener());
};
const hooks = {};

function Result({ id, path, args }) {
  const found = useQuery(reference(path), jsonToConvex(args));
  const text = found === undefined ? undefined : JSON.stringify(convexToJson(found));
  useEffect(() => {
    if (text !== undefined) tell(id, { kind: "value", value: JSON.parse(text) });
  }, [text]);
  return <p>{text?.slice(0, 100)}</p>;
}

function Pages({ id, path, args, size }) {
  const { results, status, loadMore } = usePaginatedQuery(reference(path), jsonToConvex(args), {
    initialNumItems: size,
  });
  const text = JSON.stringify([results, status]);
  hooks[id] = loadMore;
  useEffect(() => {
    tell(id, { kind: "value", value: JSON.parse(text) });
  }, [text]);
  return <p>{text}</p>;
}

/** Two queries in one component: what one render has of them. */
function Pair({ id, path, args, others }) {
  const found = [useQuery(reference(path), jsonToConvex(args)), useQuery(reference(path), jsonToConvex(others))];
  const text = found.includes(undefined) ? undefined : JSON.stringify(found.map(convexToJson));
  if (text !== undefined && hooks[id] !== text) tell(id, { kind: "value", value: JSON.parse(text) });
  hooks[id] = text;
  return <p>{text}</p>;
}

function Mutation({ id, path, args, optimistic }) {
  const plain = useMutation(reference(path));
  useEffect(() => {
    const change = optimistic
      ? plain.withOptimisticUpdate((store, { list, text }) => {
          const known = store.getQuery(anyApi.items.list, { list });
          if (known !== undefined) store.setQuery(anyApi.items.list, { list }, [...known, `${text} (soon)`]);
        })
      : plain;
    change(jsonToConvex(args)).then(
      (found) => tell(id, value(found)),
      (error) => tell(id, failed(error)),
    );
  }, []);
  return null;
}

/** Shows that a query fails, and tries again after a while, as a button of an app would. */
class Boundary extends Component {
  state = { error: null };
  static getDerivedStateFromError = (error) => ({ error });
  componentDidCatch(error) {
    const text = JSON.stringify(failed(error));
    if (text !== this.last) tell(this.props.id, JSON.parse(text));
    this.last = text;
    this.timer = setTimeout(() => this.setState({ error: null }), 50);
  }
  componentWillUnmount() {
    clearTimeout(this.timer);
  }
  render() {
    return this.state.error === null ? this.props.children : <p>failed</p>;
  }
}

const KINDS = { watch: Result, pair: Pair, pages: Pages, mutation: Mutation };

function App() {
  const all = useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => shown,
  );
  return all.map((one) => {
    const Kind = KINDS[one.op];
    return (
      <Boundary key={one.id} id={one.id}>
        <Kind {...one} />
      </Boundary>
    );
  });
}

const ops = {
  watch: (message) => show([...shown, message]),
  pair: (message) => show([...shown, message]),
  pages: (message) => show([...shown, message]),
  mutation: (message) => show([...shown, message]),
  unwatch: ({ watch }) => show(shown.filter(({ id }) => id !== watch)),
  more: ({ watch, count }) => hooks[watch](count),
  async query({ id, path, args }) {
    tell(id, value(await client.query(reference(path), jsonToConvex(args))));
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
  unauth: () => client.clearAuth(),
  state({ id }) {
    const { isWebSocketConnected, connectionCount } = client.connectionState();
    tell(id, { kind: "value", value: [isWebSocketConnected, connectionCount] });
  },
};

window.ask = (message) => {
  Promise.resolve()
    .then(() => ops[message.op](message))
    .catch((error) => tell(message.id, failed(error)));
};

// A failing query is expected here: React's own word on it is not.
createRoot(document.getElementById("root"), { onCaughtError() {} }).render(
  <ConvexProvider client={client}>
    <App />
  </ConvexProvider>,
);
