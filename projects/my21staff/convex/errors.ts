import { ConvexError } from "convex/values";

/** What a refused call carries to its caller: a stable code for programs, and a sentence for people. */
export function refusal(code: string, message: string): ConvexError<{ code: string; message: string }> {
  return new ConvexError({ code, message });
}
