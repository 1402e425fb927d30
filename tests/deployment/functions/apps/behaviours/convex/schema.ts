import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  // Anything may stand in `a` and `b`; `n` tells the rows apart.
  rows: defineTable({ n: v.number(), a: v.optional(v.any()), b: v.optional(v.any()) })
    .index("by_n", ["n"])
    .index("by_a", ["a"])
    .index("by_a_b", ["a", "b"]),
  people: defineTable({
    name: v.string(),
    age: v.optional(v.number()),
    friend: v.optional(v.id("people")),
    tags: v.optional(v.array(v.union(v.literal("x"), v.literal("y")))),
  })
    .index("by_name", ["name"])
    .index("by_age", ["age"]),
  notes: defineTable({
    text: v.optional(v.any()),
    folder: v.optional(v.any()),
    rank: v.optional(v.number()),
    vector: v.optional(v.any()),
  })
    .index("by_folder", ["folder"])
    .searchIndex("by_text", { searchField: "text", filterFields: ["folder", "rank"] })
    .searchIndex("later", { searchField: "text", filterFields: ["rank"], staged: true })
    .vectorIndex("by_vector", { vectorField: "vector", dimensions: 3, filterFields: ["folder", "rank"] })
    .vectorIndex("later_too", { vectorField: "vector", dimensions: 2, staged: true }),
  counters: defineTable({ name: v.string(), value: v.number() }).index("by_name", ["name"]),
});
