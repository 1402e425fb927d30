import { defineApp } from "convex/server";
import { v } from "convex/values";
import counter from "../counter/convex.config";
import shop from "../shop/convex.config";

const app = defineApp({ env: { KEY: v.optional(v.string()) }, httpPrefix: "/shop/" });
app.use(counter);
app.use(counter, { name: "other" });
app.use(shop, { env: { CURRENCY: "EUR", SECRET: app.env.KEY }, httpPrefix: "/shop/" });
export default app;
