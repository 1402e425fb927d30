// A page of an app with Convex Auth: whoever has signed up or in reads what all have written, and writes.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { ConvexAuthProvider, useAuthActions } from "@convex-dev/auth/react";
import { Authenticated, AuthLoading, ConvexReactClient, Unauthenticated, useMutation, useQuery } from "convex/react";
import { anyApi } from "convex/server";

const quiet = { logVerbose() {}, log() {}, warn() {}, error() {} };
const client = new ConvexReactClient(new URLSearchParams(location.search).get("url"), { logger: quiet });

function SignIn() {
  const { signIn } = useAuthActions();
  const [flow, setFlow] = useState("signIn");
  const [failed, setFailed] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setFailed(false);
    await signIn("password", new FormData(event.target)).catch(() => setFailed(true));
  };
  const other = flow === "signIn" ? "signUp" : "signIn";
  const names = { signIn: "Sign in", signUp: "Sign up" };
  return (
    <form onSubmit={submit}>
      <label>Email <input name="email" /></label>
      <label>Password <input name="password" type="password" /></label>
      <input name="flow" type="hidden" value={flow} />
      <button type="submit">{names[flow]}</button>
      <button type="button" onClick={() => setFlow(other)}>{names[other]} instead</button>
      {failed && <p role="alert">That did not work.</p>}
    </form>
  );
}

function Messages() {
  const { signOut } = useAuthActions();
  const me = useQuery(anyApi.messages.me);
  const found = useQuery(anyApi.messages.list);
  const send = useMutation(anyApi.messages.send);
  const [text, setText] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    await send({ text });
    setText("");
  };
  return (
    <main>
      <h1>{me}</h1>
      <ul>{found?.map((one) => <li key={one._id}>{one.author}: {one.text}</li>)}</ul>
      <form onSubmit={submit}>
        <label>Message <input value={text} onChange={(event) => setText(event.target.value)} /></label>
        <button type="submit">Send</button>
      </form>
      <button type="button" onClick={() => void signOut()}>Sign out</button>
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <ConvexAuthProvider client={client}>
    <AuthLoading><p>Loading</p></AuthLoading>
    <Unauthenticated><SignIn /></Unauthenticated>
    <Authenticated><Messages /></Authenticated>
  </ConvexAuthProvider>,
);
