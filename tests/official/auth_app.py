"""An app with Convex Auth's passwords, as the package's documentation sets it up."""

from __future__ import annotations

import json
import subprocess

from .node import NODE_MODULES

AUTH = {
    "schema.ts": """
import { authTables } from "@convex-dev/auth/server";
import { defineSchema } from "convex/server";
export default defineSchema({ ...authTables });
""",
    "auth.config.ts": """
export default { providers: [{ domain: process.env.CONVEX_SITE_URL, applicationID: "convex" }] };
""",
    "auth.ts": """
import { Password } from "@convex-dev/auth/providers/Password";
import { convexAuth, getAuthUserId } from "@convex-dev/auth/server";
import { queryGeneric as query } from "convex/server";
export const { auth, signIn, signOut, store, isAuthenticated } = convexAuth({ providers: [Password] });
export const me = query({
  args: {},
  handler: async (ctx): Promise<any> => {
    const id = await getAuthUserId(ctx);
    return id === null ? null : ((await ctx.db.get(id)) as any).email;
  },
});
""",
    "http.ts": """
import { httpRouter } from "convex/server";
import { auth } from "./auth";
const http = httpRouter();
auth.addHttpRoutes(http);
export default http;
""",
}
#: What the package's own setup makes, as its documentation says.
KEYS = """
const { subtle } = globalThis.crypto;
const { exportJWK, exportPKCS8, generateKeyPair } = await import("jose");
const keys = await generateKeyPair("RS256", { extractable: true });
const JWT_PRIVATE_KEY = (await exportPKCS8(keys.privateKey)).trimEnd().replace(/\\n/g, " ");
const JWKS = JSON.stringify({ keys: [{ use: "sig", ...(await exportJWK(keys.publicKey)) }] });
process.stdout.write(JSON.stringify({ JWT_PRIVATE_KEY, JWKS, SITE_URL: "http://localhost:5173" }));
"""


def auth_variables() -> dict[str, str]:
    """The variables that Convex Auth reads: new keys, and where the app is."""
    command = ["node", "--input-type=module", "-e", KEYS]
    ran = subprocess.run(command, cwd=NODE_MODULES.parent, capture_output=True, text=True, check=True, timeout=180)
    found: dict[str, str] = json.loads(ran.stdout)
    return found
