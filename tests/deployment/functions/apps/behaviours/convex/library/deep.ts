export function thrower(depth: number): never {
  if (depth > 0) return thrower(depth - 1);
  throw new TypeError("from below");
}
