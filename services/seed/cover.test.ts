import { expect, test } from 'vitest';
import { books } from './books.ts';
import { coverSvg, palettes } from './cover.ts';

/** Whether every tag is closed in turn, every attribute quoted and every ampersand an entity. */
function isWellFormed(xml: string): boolean {
  const open: string[] = [];
  const rest = xml.replaceAll(
    /<(\/?)([A-Za-z][\w]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_all, end, name, _attributes, empty) => {
      if (end === '/' && open.pop() !== name) open.push('wrong order');
      if (end === '' && empty === '') open.push(name);
      return '';
    },
  );
  return open.length === 0 && !/[<>]/.test(rest) && !/&(?!(amp|lt|gt|quot);)/.test(xml);
}

test('the check of the next tests finds what is broken', () => {
  expect(isWellFormed('<a b="1"><c/></a>')).toBe(true);
  for (const broken of ['<a>', '<a><b></a></b>', '<a b=1/>', '<a>&</a>', '<a><</a>'])
    expect(isWellFormed(broken)).toBe(false);
});

test.each(books.map((book) => [book.title, book] as const))(
  'the cover of %s is well-formed and has every word',
  (title, book) => {
    const svg = coverSvg(book);
    expect(isWellFormed(svg)).toBe(true);
    expect(coverSvg({ ...book })).toBe(svg);
    const drawn = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text).join(' ');
    expect(drawn).toBe(`${title} ${book.authors.join(', ')}`);
  },
);

test('books look different', () => {
  const drawings = books.map((book) => coverSvg({ ...book, title: 'T', authors: ['A'] }));
  expect(new Set(drawings).size).toBe(books.length);
});

test('a title cannot bring markup with it, nor what XML cannot hold', () => {
  const svg = coverSvg({ title: '</text><script>"1" & 2</script>\u0000', authors: ['<b>'], isbn13: '9780141439518' });
  expect(isWellFormed(svg)).toBe(true);
  expect(svg).not.toContain('<script');
  expect(svg).not.toContain('\u0000');
});

test('a title that is far too long stays on the cover', () => {
  const svg = coverSvg({
    title: 'Incomprehensibilities '.repeat(40),
    authors: ['x'.repeat(200)],
    isbn13: '9780141439518',
  });
  expect(isWellFormed(svg)).toBe(true);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text ?? '');
  expect(texts.length).toBeLessThanOrEqual(6);
  expect(texts.every((text) => text.length < 40)).toBe(true);
});

/** WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test.each(palettes.map(({ ink, paper }) => [ink, paper] as const))('%s on %s can be read', (ink, paper) => {
  const [light, dark] = [luminance(ink), luminance(paper)].sort((a, b) => b - a) as [number, number]; // two in, two out
  expect((light + 0.05) / (dark + 0.05)).toBeGreaterThanOrEqual(4.5);
});
