import { v } from "convex/values";
import { internalMutation, mutation, query, type QueryCtx } from "./_generated/server";
import type { Doc, Id } from "./_generated/dataModel";
import { withDefaults } from "./defaults";
import { refusal } from "./errors";
import { workspaceOf } from "./workspaces";

/** The published webinars of a workspace from the moment `from` on, the next one first. */
export const list = query({
  args: { workspace: v.string(), from: v.number() },
  returns: v.array(
    v.object({
      _id: v.id("webinars"),
      slug: v.string(),
      title: v.string(),
      scheduled_at: v.number(),
      duration_minutes: v.number(),
      places_left: v.union(v.number(), v.null()),
    }),
  ),
  handler: async (ctx, args) => {
    const workspace = await workspaceOf(ctx, args.workspace);
    const webinars = await ctx.db
      .query("webinars")
      .withIndex("by_workspace", (q) => q.eq("workspace_id", workspace._id))
      .collect();
    const coming = webinars
      .filter((webinar) => webinar.status === "published" && webinar.scheduled_at >= args.from)
      .sort((a, b) => a.scheduled_at - b.scheduled_at);
    return await Promise.all(
      coming.map(async (webinar) => ({
        _id: webinar._id,
        slug: webinar.slug,
        title: webinar.title,
        scheduled_at: webinar.scheduled_at,
        duration_minutes: webinar.duration_minutes,
        places_left: await placesLeft(ctx, webinar),
      })),
    );
  },
});

/** Registers a contact: while the webinar is ahead, once, and up to `max_registrations`. */
export const register = mutation({
  args: { webinar_id: v.id("webinars"), contact_id: v.id("contacts") },
  returns: v.id("webinarRegistrations"),
  handler: async (ctx, args) => {
    const webinar = await ctx.db.get(args.webinar_id);
    if (webinar === null || webinar.status === "draft") {
      throw refusal("WebinarNotFound", "There is no such webinar.");
    }
    const contact = await ctx.db.get(args.contact_id);
    if (contact === null || contact.workspace_id !== webinar.workspace_id) {
      throw refusal("ContactNotFound", "The contact is none of the webinar's workspace.");
    }
    if (webinar.status !== "published") {
      throw refusal("WebinarClosed", `The webinar is ${webinar.status}.`);
    }
    if (await registrationOf(ctx, webinar._id, contact._id)) {
      throw refusal("AlreadyRegistered", "The contact is registered.");
    }
    if ((await placesLeft(ctx, webinar)) === 0) {
      throw refusal("WebinarFull", `All ${webinar.max_registrations} places are taken.`);
    }
    const now = Date.now();
    if (webinar.scheduled_at <= now) {
      throw refusal("WebinarOver", "The webinar has begun.");
    }
    return await ctx.db.insert(
      "webinarRegistrations",
      withDefaults("webinarRegistrations", {
        webinar_id: webinar._id,
        contact_id: contact._id,
        workspace_id: webinar.workspace_id,
        registered_at: now,
      }),
    );
  },
});

/** Notes that a registered contact came. */
export const attend = internalMutation({
  args: { webinar_id: v.id("webinars"), contact_id: v.id("contacts") },
  returns: v.null(),
  handler: async (ctx, args) => {
    const registration = await registrationOf(ctx, args.webinar_id, args.contact_id);
    if (!registration) throw refusal("NotRegistered", "The contact is not registered.");
    await ctx.db.patch(registration._id, { attended: true });
    return null;
  },
});

/** How many may still register; null where there is no limit. It reads no more than `max_registrations`. */
async function placesLeft(ctx: QueryCtx, webinar: Doc<"webinars">): Promise<number | null> {
  const places = webinar.max_registrations;
  if (places === undefined) return null;
  if (places <= 0) return 0;
  const taken = await ctx.db
    .query("webinarRegistrations")
    .withIndex("by_webinar", (q) => q.eq("webinar_id", webinar._id))
    .take(places);
  return places - taken.length;
}

/** A contact registers for few webinars, while a webinar has many registrations: so it is looked for there. */
async function registrationOf(ctx: QueryCtx, webinar: Id<"webinars">, contact: Id<"contacts">) {
  const registrations = await ctx.db
    .query("webinarRegistrations")
    .withIndex("by_contact", (q) => q.eq("contact_id", contact))
    .collect();
  return registrations.find((registration) => registration.webinar_id === webinar);
}
