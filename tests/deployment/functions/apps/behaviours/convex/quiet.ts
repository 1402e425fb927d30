import { query } from "./_generated/server";

let count = 0;
const seen: number[] = [];
export const counted = query({
  handler: async () => {
    seen.push(seen.length);
    return [++count, seen.length];
  },
});
export const other = query({ handler: async () => count });
