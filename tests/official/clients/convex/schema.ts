import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  items: defineTable({ list: v.string(), place: v.number(), text: v.string() })
    .index("by_list", ["list", "place"])
    .searchIndex("by_text", { searchField: "text", filterFields: ["list"] }),
  counters: defineTable({ name: v.string(), value: v.number() }).index("by_name", ["name"]),
  kept: defineTable({ value: v.any() }),
});
