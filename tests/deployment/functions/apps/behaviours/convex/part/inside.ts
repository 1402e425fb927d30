// What the app calls in a component, and what the component may not reach.
import { actionGeneric as action, queryGeneric as query } from "convex/server";

export const time = query({ handler: async () => performance.now() });
export const loads = action({
  handler: async (_, { path }: any) => await import([...path].join("")).then(Object.keys, (error: Error) => error.message),
});
