import { Migrations } from "@convex-dev/migrations";
import { components, internal } from "./_generated/api";
import { query } from "./_generated/server";

const migrations = new Migrations<any>((components as any).migrations);

export const shout = migrations.define({
  table: "users",
  batchSize: 2,
  migrateOne: (_ctx: any, user: any) => ({ shout: user.name.toUpperCase() }),
});
export const run = migrations.runner();
export const status = query({
  handler: async (ctx): Promise<any> => await migrations.getStatus(ctx, { migrations: [(internal as any).migrations.shout] }),
});
