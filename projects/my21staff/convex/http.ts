import { ConvexError } from "convex/values";
import { httpRouter } from "convex/server";
import { internal } from "./_generated/api";
import { httpAction } from "./_generated/server";

const http = httpRouter();

/** Midtrans tells what became of a payment, again and again until it gets a 200. */
http.route({
  path: "/midtrans/callback",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const body = await request.json().catch(() => null);
    const texts = ["order_id", "status_code", "gross_amount", "signature_key", "transaction_id", "transaction_status"];
    if (body === null || texts.some((name) => typeof body[name] !== "string")) {
      return new Response("That is no notification.", { status: 400 });
    }
    const { order_id, status_code, gross_amount, signature_key, transaction_id, transaction_status } = body;
    try {
      const what = await ctx.runMutation(internal.payments.receive, {
        ...{ order_id, status_code, gross_amount, signature_key, transaction_id, transaction_status },
        fraud_status: typeof body.fraud_status === "string" ? body.fraud_status : undefined,
        payment_type: typeof body.payment_type === "string" ? body.payment_type : undefined,
        response: body,
      });
      return Response.json({ what });
    } catch (error) {
      if (!(error instanceof ConvexError)) throw error;
      return Response.json(error.data, { status: error.data.code === "InvalidSignature" ? 403 : 422 });
    }
  }),
});

export default http;
