import { query } from "./_generated/server";

let count = 0;
const seen: number[] = [];
export const counted = query({
  handler: async () => {
    seen.push(seen.length);
    return [++count, seen.length];
  },
});
// What another function leaves for the module when it is evaluated again, and takes back then.
export const registry: any = Object.fromEntries([["of", "the module"]]);
const LEAVES: Record<string, (secret: string) => void> = {
  method: (secret) => {
    const real = Object.fromEntries;
    Object.fromEntries = (() => {
      Object.fromEntries = real;
      return { secret };
    }) as any;
  },
  getter: (secret) => {
    const real = Object.getOwnPropertyDescriptor(Object, "fromEntries")!;
    let read = 0;
    const get = () => {
      if (read++ === 0) return real.value;
      Object.defineProperty(Object, "fromEntries", real);
      return () => ({ secret });
    };
    Object.defineProperty(Object, "fromEntries", { get, configurable: true });
  },
};
export const leaves = query({ handler: async (ctx, { how, secret }: any) => LEAVES[how](secret) });
export const registered = query({ handler: async () => registry });
export const other = query({ handler: async () => count });
