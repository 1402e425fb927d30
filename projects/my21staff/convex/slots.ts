import { v } from "convex/values";
import { query, type QueryCtx } from "./_generated/server";
import type { Doc } from "./_generated/dataModel";
import { DAY_MS, MINUTE_MS, inWeek, minutesOf, startOfDay, timeOf } from "./clock";
import { refusal } from "./errors";
import { workspaceOf } from "./workspaces";

/** No booking is made further ahead, whatever a slot says: it bounds what has to be read to count bookings. */
export const LONGEST_WINDOW_DAYS = 365;

/** The times of a day (YYYY-MM-DD, Jakarta) that can be booked at the moment `now`, the earliest first. */
export const free = query({
  args: { workspace: v.string(), date: v.string(), now: v.number() },
  returns: v.array(
    v.object({
      slot_id: v.id("consultantSlots"),
      consultant_id: v.union(v.string(), v.null()),
      time: v.string(),
      scheduled_at: v.number(),
      duration_minutes: v.number(),
      places_left: v.number(),
    }),
  ),
  handler: async (ctx, args) => {
    const midnight = startOfDay(args.date);
    if (midnight === null) throw refusal("InvalidDate", "A date is YYYY-MM-DD.");
    const workspace = await workspaceOf(ctx, args.workspace);
    const slots = await ctx.db
      .query("consultantSlots")
      .withIndex("by_workspace_day", (q) => q.eq("workspace_id", workspace._id).eq("day_of_week", inWeek(midnight).day))
      .collect();
    const found = [];
    for (const slot of slots) {
      for (const minutes of timesOf(slot)) {
        const scheduled_at = midnight + minutes * MINUTE_MS;
        if (!isBookable(slot, scheduled_at, args.now)) continue;
        const places_left = slot.max_bookings_per_slot - (await bookingsAt(ctx, slot, scheduled_at));
        if (places_left <= 0) continue;
        found.push({
          slot_id: slot._id,
          consultant_id: slot.consultant_id ?? null,
          time: timeOf(minutes),
          scheduled_at,
          duration_minutes: slot.duration_minutes,
          places_left,
        });
      }
    }
    return found.sort((a, b) => a.scheduled_at - b.scheduled_at);
  },
});

/** Where appointments of a slot begin: minutes since midnight. The last one ends within the slot. */
function timesOf(slot: Doc<"consultantSlots">): number[] {
  const times = [];
  const end = minutesOf(slot.end_time);
  if (slot.duration_minutes <= 0) return [];
  for (let at = minutesOf(slot.start_time); at + slot.duration_minutes <= end; at += slot.duration_minutes) {
    times.push(at);
  }
  return times;
}

/** Whether an appointment of this slot can begin at that moment at all. */
export function isTimeOf(slot: Doc<"consultantSlots">, scheduled_at: number): boolean {
  const { day, sinceMidnight } = inWeek(scheduled_at);
  return day === slot.day_of_week && timesOf(slot).some((minutes) => minutes * MINUTE_MS === sinceMidnight);
}

/** Whether the slot takes bookings for that moment now: it is active, and the moment is ahead and in its window. */
export function isBookable(slot: Doc<"consultantSlots">, scheduled_at: number, now: number): boolean {
  const days = Math.min(slot.booking_window_days, LONGEST_WINDOW_DAYS);
  return slot.is_active && scheduled_at > now && scheduled_at <= now + days * DAY_MS;
}

/** How many appointments of the slot's consultant, or of the team where it has none, overlap one that begins then. */
export async function bookingsAt(ctx: QueryCtx, slot: Doc<"consultantSlots">, scheduled_at: number): Promise<number> {
  // Appointments have no index by time; but none is made earlier than a window ahead, and indexes end in _creationTime.
  const since = scheduled_at - (LONGEST_WINDOW_DAYS + 1) * DAY_MS;
  const { consultant_id } = slot;
  const appointments =
    consultant_id !== undefined
      ? await ctx.db
          .query("ariAppointments")
          .withIndex("by_consultant", (q) => q.eq("consultant_id", consultant_id).gt("_creationTime", since))
          .collect()
      : await ctx.db
          .query("ariAppointments")
          .withIndex("by_workspace", (q) => q.eq("workspace_id", slot.workspace_id).gt("_creationTime", since))
          .collect();
  const end = scheduled_at + slot.duration_minutes * MINUTE_MS;
  return appointments.filter(
    (appointment) =>
      appointment.consultant_id === consultant_id &&
      (appointment.status === "scheduled" || appointment.status === "confirmed") &&
      appointment.scheduled_at < end &&
      appointment.scheduled_at + appointment.duration_minutes * MINUTE_MS > scheduled_at,
  ).length;
}
