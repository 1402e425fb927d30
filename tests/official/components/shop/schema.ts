import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  sales: defineTable({ name: v.string(), place: v.optional(v.string()), vector: v.optional(v.array(v.float64())) })
    .searchIndex("by_words", { searchField: "name", filterFields: ["place"] })
    .vectorIndex("by_vector", { vectorField: "vector", dimensions: 2, filterFields: ["place"] }),
});
