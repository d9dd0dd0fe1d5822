import { expect, test } from 'vitest';
import { ServerClock } from '#lib/api/server-clock.ts';

const header = 'Tue, 24 Nov 2026 12:00:00 GMT';
const server = Date.parse(header);

test('a clock that is five minutes slow is seen through', () => {
  const clock = new ServerClock();
  const local = server - 300_000;
  clock.note(header, local - 20, local + 20);
  expect(Math.abs(clock.at(local) - server)).toBeLessThanOrEqual(500);
});

test('a slow answer does not spoil what a quick one said', () => {
  const clock = new ServerClock();
  clock.note(header, server, server + 10);
  const good = clock.at(server);
  clock.note(header, server, server + 8_000);
  expect(clock.at(server)).toBe(good);
});

test('without a usable header the own clock counts', () => {
  const clock = new ServerClock();
  clock.note(null, 0, 10);
  clock.note('soon', 0, 10);
  expect(clock.at(1_000)).toBe(1_000);
});
