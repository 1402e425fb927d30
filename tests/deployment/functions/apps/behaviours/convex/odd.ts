import { query } from "./_generated/server";

// A module whose evaluation changes its process, some of the times, and a class that it holds from there on.
const Held = Response;
let odd = false;
try {
  odd = crypto.getRandomValues(new Uint8Array(1))[0] % 2 === 1;
} catch {} // the analysis
if (odd) (Array.prototype as any).left = 1;
export const called = query({ handler: async () => null });
export const leaves = query({ handler: async () => void ((Held.prototype as any).left = 1) });
