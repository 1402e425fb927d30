import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();
crons.interval("count", { hours: 1 }, (internal as any).lib.addHidden, { name: "cron", by: 1 });
export default crons;
