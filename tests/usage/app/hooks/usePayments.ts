"use client";
import { useEffect, useState } from "react";
import { createBrowserClient } from "@supabase/ssr";

const supabase = createBrowserClient(process.env.NEXT_PUBLIC_SUPABASE_URL!, process.env.NEXT_PUBLIC_SUPABASE_ANON_KEY!);

export function usePayments(conversationId: string, table: string) {
  const [payments, setPayments] = useState<unknown[]>([]);

  useEffect(() => {
    supabase
      .from("ari_payments")
      .select("*")
      .eq("ari_conversation_id", conversationId)
      .is("paid_at", null)
      .then(({ data }) => setPayments(data ?? []));

    const channel = supabase
      .channel(`payments-${conversationId}`)
      .on(
        "postgres_changes",
        { event: "INSERT", schema: "public", table: "ari_payments", filter: `ari_conversation_id=eq.${conversationId}` },
        (payload) => setPayments((all) => [...all, payload.new]),
      )
      .subscribe();
    return () => {
      supabase.removeChannel(channel);
    };
  }, [conversationId]);

  const reload = async () => {
    const [{ data: any }, { data: totals }] = await Promise.all([
      supabase.from(table).select(),
      supabase.rpc("payment_totals", { conversation: conversationId }),
    ]);
    return { any, totals };
  };

  return { payments, reload };
}
