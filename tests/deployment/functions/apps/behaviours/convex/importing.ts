import { mutation, query } from "./_generated/server";

const began = performance.now();
console.log("evaluated");
let count = 0;
const counts = new Map<string, number>();
const counted = async () => {
  counts.set("calls", (counts.get("calls") ?? 0) + 1);
  return [++count, counts.get("calls"), began];
};
export const inQuery = query({ handler: counted });
export const inMutation = mutation({ handler: counted });
