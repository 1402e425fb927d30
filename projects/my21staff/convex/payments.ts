import { v } from "convex/values";
import { internal } from "./_generated/api";
import type { Doc } from "./_generated/dataModel";
import { internalMutation, query, type MutationCtx } from "./_generated/server";
import { MINUTE_MS } from "./clock";
import { withDefaults } from "./defaults";
import { refusal } from "./errors";

/** As Convex gives it to functions; @types/node would declare much that is not there. */
declare const process: { env: Record<string, string | undefined> };

const PAGE = 100;

/** A new payment that waits for the gateway; it expires by itself. Its id is the gateway's order id. */
export const create = internalMutation({
  args: {
    ari_conversation_id: v.id("ariConversations"),
    amount: v.number(),
    valid_minutes: v.optional(v.number()),
  },
  returns: v.id("ariPayments"),
  handler: async (ctx, { ari_conversation_id, amount, valid_minutes = 24 * 60 }) => {
    const conversation = await ctx.db.get(ari_conversation_id);
    if (conversation === null) throw refusal("ConversationNotFound", "There is no such conversation.");
    if (!(amount > 0)) throw refusal("InvalidAmount", "An amount is above 0.");
    if (!(valid_minutes > 0)) throw refusal("InvalidDuration", "A payment is valid for some minutes.");
    const now = Date.now();
    const expires_at = now + valid_minutes * MINUTE_MS;
    const id = await ctx.db.insert(
      "ariPayments",
      withDefaults("ariPayments", {
        ari_conversation_id,
        workspace_id: conversation.workspace_id,
        amount,
        status: "pending",
        expires_at,
        created_at: now,
        updated_at: now,
      }),
    );
    await ctx.scheduler.runAt(expires_at, internal.payments.expire, { payment_id: id });
    return id;
  },
});

/** Scheduled by `create`: a payment that nobody made by then has expired; whether this one has. */
export const expire = internalMutation({
  args: { payment_id: v.id("ariPayments") },
  returns: v.boolean(),
  handler: async (ctx, { payment_id }) => {
    const payment = await ctx.db.get(payment_id);
    if (payment === null || payment.status !== "pending") return false;
    await ctx.db.patch(payment_id, { status: "expired", updated_at: Date.now() });
    return true;
  },
});

/** Expires payments that were due before `now` and that no `expire` is scheduled for: those that were migrated. */
export const expireOverdue = internalMutation({
  args: { now: v.number(), cursor: v.optional(v.union(v.string(), v.null())) },
  returns: v.number(),
  handler: async (ctx, { now, cursor = null }) => {
    const page = await ctx.db
      .query("ariPayments")
      .withIndex("by_status", (q) => q.eq("status", "pending"))
      .paginate({ cursor, numItems: PAGE });
    const overdue = page.page.filter((payment) => payment.expires_at !== undefined && payment.expires_at < now);
    for (const payment of overdue) {
      await ctx.db.patch(payment._id, { status: "expired", updated_at: Date.now() });
    }
    if (!page.isDone) {
      await ctx.scheduler.runAfter(0, internal.payments.expireOverdue, { now, cursor: page.continueCursor });
    }
    return overdue.length;
  },
});

/** What the gateway says of a payment; the HTTP route /midtrans/callback calls it with the body of the request. */
export const receive = internalMutation({
  args: {
    order_id: v.string(),
    status_code: v.string(),
    gross_amount: v.string(),
    signature_key: v.string(),
    transaction_id: v.string(),
    transaction_status: v.string(),
    fraud_status: v.optional(v.string()),
    payment_type: v.optional(v.string()),
    response: v.any(),
  },
  returns: v.union(v.literal("recorded"), v.literal("repeated"), v.literal("outdated")),
  handler: async (ctx, args) => {
    const key = process.env.MIDTRANS_SERVER_KEY;
    if (!key) throw new Error("The environment variable MIDTRANS_SERVER_KEY is not set.");
    const wanted = await sha512(args.order_id + args.status_code + args.gross_amount + key);
    if (!sameText(wanted, args.signature_key)) throw refusal("InvalidSignature", "Somebody else has signed it.");
    const id = ctx.db.normalizeId("ariPayments", args.order_id);
    const payment = id && (await ctx.db.get(id));
    if (!payment) throw refusal("PaymentNotFound", `There is no payment ${args.order_id}.`);
    if (Number(args.gross_amount) !== payment.amount) {
      throw refusal("AmountMismatch", `The payment is of ${payment.amount}, not of ${args.gross_amount}.`);
    }
    const known = payment.gateway_transaction_id;
    if (known !== undefined && known !== args.transaction_id && payment.status !== "pending") {
      throw refusal("OtherTransaction", `The payment was made by transaction ${known}.`);
    }
    const status = statusOf(args.transaction_status, args.fraud_status);
    if (status === payment.status && known === args.transaction_id) return "repeated";
    if (!mayFollow(payment.status, status)) return "outdated";
    const now = Date.now();
    await ctx.db.patch(payment._id, {
      status,
      gateway_transaction_id: args.transaction_id,
      gateway_response: args.response,
      payment_method: args.payment_type ?? payment.payment_method,
      paid_at: status === "success" ? now : payment.paid_at,
      updated_at: now,
    });
    if (status === "success") await confirmAppointments(ctx, payment, now);
    return "recorded";
  },
});

/** How a conversation's payments stand, the newest first. ARI shows it to the contact. */
export const list = query({
  args: { ari_conversation_id: v.id("ariConversations") },
  returns: v.array(
    v.object({ _id: v.id("ariPayments"), amount: v.number(), currency: v.string(), status: v.string() }),
  ),
  handler: async (ctx, { ari_conversation_id }) => {
    const payments = await ctx.db
      .query("ariPayments")
      .withIndex("by_conversation", (q) => q.eq("ari_conversation_id", ari_conversation_id))
      .order("desc")
      .take(PAGE);
    return payments.map(({ _id, amount, currency, status }) => ({ _id, amount, currency, status }));
  },
});

/** The appointments that a payment was for are sure now. */
async function confirmAppointments(ctx: MutationCtx, payment: Doc<"ariPayments">, now: number) {
  const appointments = await ctx.db
    .query("ariAppointments")
    .withIndex("by_conversation", (q) => q.eq("ari_conversation_id", payment.ari_conversation_id))
    .collect();
  for (const appointment of appointments) {
    if (appointment.payment_id === payment._id && appointment.status === "scheduled") {
      await ctx.db.patch(appointment._id, { status: "confirmed", updated_at: now });
    }
  }
}

/** Our word for Midtrans's `transaction_status`. */
function statusOf(transaction: string, fraud: string | undefined): string {
  switch (transaction) {
    case "settlement":
      return "success";
    case "capture":
      return fraud === undefined || fraud === "accept" ? "success" : "pending";
    case "refund":
    case "partial_refund":
      return "refunded";
    case "expire":
      return "expired";
    case "pending":
    case "authorize":
      return "pending";
    default:
      return "failed"; // deny, cancel, failure
  }
}

/** Notifications may come twice and out of order: what is final stays, but that money can be given back. */
function mayFollow(from: string, to: string): boolean {
  if (from === "pending") return true;
  return to === "refunded" ? from === "success" : from === "expired" && to === "success";
}

async function sha512(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-512", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Compares in a time that does not tell where two texts differ. */
function sameText(a: string, b: string): boolean {
  let different = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) different |= a.charCodeAt(at) ^ b.charCodeAt(at % (b.length || 1));
  return different === 0;
}
