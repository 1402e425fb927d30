import { defineComponent } from "convex/server";
import { v } from "convex/values";
import counter from "../counter/convex.config";

const shop = defineComponent("shop", { env: { CURRENCY: v.string(), SECRET: v.optional(v.string()) } });
shop.use(counter, { name: "stock" });
export default shop;
