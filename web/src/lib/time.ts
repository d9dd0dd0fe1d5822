import { locale } from '#lib/money.ts';

const absolute = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'long' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const steps = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
] as const;

/** Local date and time, with the zone: `24 Nov 2026, 15:32:10 (Europe/Berlin)`. */
export const dateTime = (iso: string): string =>
  `${absolute.format(new Date(iso))} (${absolute.resolvedOptions().timeZone})`;

/** Local date: `24 November 2026`. */
export const date = (iso: string): string => day.format(new Date(iso));

/** `just now`, `5 minutes ago`, `yesterday`. A moment slightly ahead of this clock is `just now`: clocks differ. */
export function ago(iso: string, nowMs: number): string {
  let value = (nowMs - Date.parse(iso)) / 1000;
  if (value < 5) return 'just now';
  for (const [unit, size] of steps) {
    if (value < size) return relative.format(-Math.floor(value), unit);
    value /= size;
  }
  return dateTime(iso);
}

/** `840 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const positive = Math.max(0, ms);
  if (positive < 1000) return `${Math.round(positive)} ms`;
  if (positive < 10_000) return `${(Math.floor(positive / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(positive / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Local time of day to the millisecond, for logs: `15:32:10.042`. */
export function clockTime(iso: string): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
