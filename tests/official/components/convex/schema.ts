import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({ counts: defineTable({ title: v.string() }), notes: defineTable({ text: v.string() }) });
