/** Times of day in `consultantSlots` are Jakarta's (UTC+7, no daylight saving time). */
const OFFSET_MS = 7 * 60 * 60_000;

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

/** "13:30" as minutes since midnight. */
export function minutesOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

/** 810 as "13:30". */
export function timeOf(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** The moment at which a day (YYYY-MM-DD) begins in Jakarta; null for a text that is no day. */
export function startOfDay(date: string): number | null {
  const utc = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : NaN;
  return Number.isNaN(utc) ? null : utc - OFFSET_MS;
}

/** Where a moment lies in its week in Jakarta: day (0 is Sunday), and milliseconds since that day's midnight. */
export function inWeek(moment: number): { day: number; sinceMidnight: number } {
  const local = moment + OFFSET_MS;
  return { day: new Date(local).getUTCDay(), sinceMidnight: ((local % DAY_MS) + DAY_MS) % DAY_MS };
}
