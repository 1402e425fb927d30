import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation, query } from "./_generated/server";
import { DAY_MS, MINUTE_MS } from "./clock";
import { refusal } from "./errors";
import { bookingsAt, isBookable, isTimeOf } from "./slots";
import { signedIn } from "./workspaces";

const REMIND_BEFORE_MS = DAY_MS;

/** Books a place of a slot for a conversation; ARI calls it. A reminder is scheduled for the day before. */
export const book = internalMutation({
  args: {
    ari_conversation_id: v.id("ariConversations"),
    slot_id: v.id("consultantSlots"),
    scheduled_at: v.number(),
    payment_id: v.optional(v.id("ariPayments")),
    notes: v.optional(v.string()),
  },
  returns: v.id("ariAppointments"),
  handler: async (ctx, args) => {
    const conversation = await ctx.db.get(args.ari_conversation_id);
    if (conversation === null) throw refusal("ConversationNotFound", "There is no such conversation.");
    const slot = await ctx.db.get(args.slot_id);
    if (slot === null || slot.workspace_id !== conversation.workspace_id) {
      throw refusal("SlotNotFound", "The slot is none of the conversation's workspace.");
    }
    if (args.payment_id !== undefined) {
      const payment = await ctx.db.get(args.payment_id);
      if (payment === null || payment.ari_conversation_id !== conversation._id) {
        throw refusal("PaymentNotFound", "The payment is none of the conversation's.");
      }
    }
    if (!isTimeOf(slot, args.scheduled_at)) {
      throw refusal("NoSlotTime", "No appointment of the slot begins then.");
    }
    const now = Date.now();
    if (!isBookable(slot, args.scheduled_at, now)) {
      const why = slot.is_active ? `It takes bookings up to ${slot.booking_window_days} days ahead.` : "It is closed.";
      throw refusal("NotBookable", why);
    }
    if ((await bookingsAt(ctx, slot, args.scheduled_at)) >= slot.max_bookings_per_slot) {
      throw refusal("SlotFull", "Somebody else was first.");
    }
    const id = await ctx.db.insert("ariAppointments", {
      ari_conversation_id: conversation._id,
      workspace_id: slot.workspace_id,
      payment_id: args.payment_id,
      consultant_id: slot.consultant_id,
      scheduled_at: args.scheduled_at,
      duration_minutes: slot.duration_minutes,
      status: "scheduled",
      notes: args.notes,
      created_at: now,
      updated_at: now,
    });
    const remind_at = Math.max(now, args.scheduled_at - REMIND_BEFORE_MS);
    await ctx.scheduler.runAt(remind_at, internal.appointments.remind, { appointment_id: id });
    return id;
  },
});

/** Cancels an appointment that is ahead; its place is free again. */
export const cancel = internalMutation({
  args: { appointment_id: v.id("ariAppointments") },
  returns: v.null(),
  handler: async (ctx, { appointment_id }) => {
    const appointment = await ctx.db.get(appointment_id);
    if (appointment === null) throw refusal("AppointmentNotFound", "There is no such appointment.");
    if (appointment.status !== "scheduled" && appointment.status !== "confirmed") {
      throw refusal("NotCancellable", `The appointment is ${appointment.status}.`);
    }
    await ctx.db.patch(appointment_id, { status: "cancelled", updated_at: Date.now() });
    return null;
  },
});

/** Scheduled by `book`. It reminds once, and of nothing that was cancelled meanwhile; whether it did. */
export const remind = internalMutation({
  args: { appointment_id: v.id("ariAppointments") },
  returns: v.boolean(),
  handler: async (ctx, { appointment_id }) => {
    const appointment = await ctx.db.get(appointment_id);
    if (appointment === null || appointment.reminder_sent_at !== undefined) return false;
    if (appointment.status !== "scheduled" && appointment.status !== "confirmed") return false;
    const now = Date.now();
    await ctx.db.patch(appointment_id, { reminder_sent_at: now, updated_at: now });
    return true;
  },
});

/** The appointments that the consultant who is signed in has from the moment `from` on, the next one first. */
export const mine = query({
  args: { from: v.number() },
  returns: v.array(
    v.object({
      _id: v.id("ariAppointments"),
      contact: v.union(v.string(), v.null()),
      scheduled_at: v.number(),
      ends_at: v.number(),
      status: v.string(),
      meeting_link: v.union(v.string(), v.null()),
    }),
  ),
  handler: async (ctx, { from }) => {
    const consultant = await signedIn(ctx);
    const appointments = await ctx.db
      .query("ariAppointments")
      .withIndex("by_consultant", (q) => q.eq("consultant_id", consultant))
      .collect();
    const coming = appointments.filter((appointment) => appointment.scheduled_at >= from);
    coming.sort((a, b) => a.scheduled_at - b.scheduled_at);
    return await Promise.all(
      coming.map(async (appointment) => {
        const conversation = await ctx.db.get(appointment.ari_conversation_id);
        const contact = conversation && (await ctx.db.get(conversation.contact_id));
        return {
          _id: appointment._id,
          contact: contact?.name ?? null,
          scheduled_at: appointment.scheduled_at,
          ends_at: appointment.scheduled_at + appointment.duration_minutes * MINUTE_MS,
          status: appointment.status,
          meeting_link: appointment.meeting_link ?? null,
        };
      }),
    );
  },
});
