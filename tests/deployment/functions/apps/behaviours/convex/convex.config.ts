import { defineApp } from "convex/server";
import part from "./part/convex.config";

const app = defineApp();
app.use(part);
export default app;
