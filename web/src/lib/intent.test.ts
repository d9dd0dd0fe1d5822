import { expect, test } from 'vitest';
import { Intent, type IntentStore } from '#lib/intent.ts';

const store = (): IntentStore & { readonly kept: Map<string, string> } => {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  };
};
const counter = () => {
  let made = 0;
  return () => `key-${++made}`;
};
const twoCopies = { lines: [{ bookId: 'b', quantity: 2 }] };

test('a retry after a failure repeats the key, an answer ends it', () => {
  const intent = new Intent('order.b', store(), counter());
  expect(intent.keyFor(twoCopies)).toBe('key-1');
  expect(intent.unsure).toBe(true);
  expect(intent.keyFor(twoCopies)).toBe('key-1');
  intent.answered();
  expect(intent.unsure).toBe(false);
  expect(intent.keyFor(twoCopies)).toBe('key-2');
});

test('another input is another intent', () => {
  const intent = new Intent('order.b', store(), counter());
  expect(intent.keyFor(twoCopies)).toBe('key-1');
  expect(intent.keyFor({ lines: [{ bookId: 'b', quantity: 3 }] })).toBe('key-2');
});

test('an unanswered key outlives a reload of the page, and only of its own intent', () => {
  const kept = store();
  new Intent('order.b', kept, counter()).keyFor(twoCopies);
  const makeOther = () => 'other';
  expect(new Intent('order.b', kept, makeOther).keyFor(twoCopies)).toBe('key-1');
  expect(new Intent('order.c', kept, makeOther).keyFor(twoCopies)).toBe('other');
});

test('an answer leaves nothing behind', () => {
  const kept = store();
  const intent = new Intent('top-up', kept, counter());
  intent.keyFor({ minor: '100' });
  intent.answered();
  expect(kept.kept.size).toBe(0);
});

test('storage that is broken or forbidden does not stop a purchase', () => {
  const broken = store();
  broken.kept.set('bookstream.intent.order.b', '{"key":');
  expect(new Intent('order.b', broken, counter()).keyFor(twoCopies)).toBe('key-1');
  const forbidden: IntentStore = {
    getItem: () => {
      throw new DOMException('denied', 'SecurityError');
    },
    setItem: () => {
      throw new DOMException('denied', 'SecurityError');
    },
    removeItem: () => {
      throw new DOMException('denied', 'SecurityError');
    },
  };
  const intent = new Intent('order.b', forbidden, counter());
  expect([intent.keyFor(twoCopies), intent.keyFor(twoCopies)]).toEqual(['key-1', 'key-1']);
  intent.answered();
});
