import { createHash } from 'node:crypto';

/** What a cover shows. */
interface Printed {
  readonly title: string;
  readonly authors: readonly string[];
  readonly isbn13: string;
}

/** `ink` on `paper` has a contrast of 4.5:1 or more (WCAG 2.2, 1.4.3); `accent` is ornament only and carries no text. */
interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly accent: string;
}

export const palettes: readonly Palette[] = [
  { paper: '#1f2a44', ink: '#f6efe0', accent: '#d9a441' },
  { paper: '#f3ead7', ink: '#2b2320', accent: '#b5462f' },
  { paper: '#123c36', ink: '#f1ecdc', accent: '#e0a96d' },
  { paper: '#6b1f2a', ink: '#fbeedd', accent: '#e8b04b' },
  { paper: '#e9eee6', ink: '#1d3a2f', accent: '#6f9a7e' },
  { paper: '#2d2433', ink: '#f3e9f0', accent: '#c97b9b' },
  { paper: '#f7e2c4', ink: '#3a2414', accent: '#d9772b' },
  { paper: '#dfe8f0', ink: '#17304d', accent: '#5b86b0' },
  { paper: '#30343a', ink: '#f4f4ef', accent: '#8fb8a8' },
  { paper: '#7a3b12', ink: '#fff3e2', accent: '#f0b35e' },
];

const width = 400;
const height = 600;

/** Draws the ornament of a family. `at` gives the cover's own numbers: 0 ≤ at(n) < 1, the same for the same book. */
type Family = (palette: Palette, at: (n: number) => number) => string;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
const round = (value: number): number => Math.round(value * 10) / 10;

/** A double frame with a lozenge, as on a cloth binding. */
const cloth: Family = ({ accent }, at) => {
  const petals = 6 + 2 * Math.floor(at(0) * 4);
  const petal = (n: number) =>
    `<ellipse cx="200" cy="392" rx="10" ry="38" transform="rotate(${round((360 / petals) * n)} 200 430)"/>`;
  return `<g fill="none" stroke="${accent}"><rect x="20" y="20" width="360" height="560" stroke-width="4"/>
<rect x="30" y="30" width="340" height="540" stroke-width="1.5"/><g stroke-width="2">${range(petals).map(petal).join('')}<circle cx="200" cy="430" r="82"/></g></g>`;
};

/** A sun or moon over hills. */
const hills: Family = ({ accent }, at) => {
  const hill = (n: number) => {
    const y = 390 + n * 42;
    const crest = (place: number) => round(y - 50 + at(4 + n * 2 + place) * 60);
    return `<path d="M0 ${y}C100 ${crest(0)} 150 ${crest(0)} 210 ${y}S330 ${crest(1)} 400 ${y - 14}V520H0Z" opacity="${round(0.3 + n * 0.3)}"/>`;
  };
  return `<g fill="${accent}"><circle cx="${round(110 + at(0) * 180)}" cy="${round(328 + at(1) * 20)}" r="${round(34 + at(2) * 16)}"/>${range(3).map(hill).join('')}</g>`;
};

/** Circles that ripple out from a point. */
const ripples: Family = ({ accent }, at) => {
  const [x, y] = [round(120 + at(0) * 160), round(400 + at(1) * 40)];
  const ring = (n: number) =>
    `<circle cx="${x}" cy="${y}" r="${14 + n * 22}" stroke-width="${round(7 - n * 0.9)}" opacity="${round(1 - n * 0.1)}"/>`;
  return `<clipPath id="c"><rect y="300" width="400" height="220"/></clipPath><g clip-path="url(#c)" fill="none" stroke="${accent}">${range(7).map(ring).join('')}</g>`;
};

/** A tiled band of quarter circles. */
const tiles: Family = ({ accent, ink }, at) => {
  const tile = (n: number) => {
    const [x, y, turn] = [(n % 8) * 50, 320 + Math.floor(n / 8) * 50, Math.floor(at(n) * 4) * 90];
    const fill = at(n + 7) < 0.22 ? ink : accent;
    return `<path d="M0 0H50A50 50 0 0 1 0 50Z" fill="${fill}" transform="translate(${x} ${y}) rotate(${turn} 25 25)"/>`;
  };
  return range(32).map(tile).join('');
};

/** Slanting stripes of uneven width. */
const stripes: Family = ({ accent }, at) => {
  const slant = at(0) < 0.5 ? 1 : -1;
  const stripe = (n: number) =>
    `<rect x="${n * 40 - 160}" y="240" width="${round(6 + at(n + 1) * 26)}" height="340" transform="skewX(${slant * 24})" opacity="${round(0.45 + at(n + 9) * 0.55)}"/>`;
  return `<clipPath id="c"><rect y="320" width="400" height="190"/></clipPath><g clip-path="url(#c)" fill="${accent}"><g transform="translate(${slant === 1 ? -180 : 180} 0)">${range(18).map(stripe).join('')}</g></g>`;
};

/** A twig with leaves. */
const twig: Family = ({ accent }, at) => {
  const leaf = (n: number) => {
    const side = n % 2 === 0 ? 1 : -1;
    const [y, long] = [500 - n * 21, round(58 + at(n) * 34 - n * 3)];
    return `<path d="M200 ${y}q${side * round(long / 2)} -34 ${side * long} -30q${side * -10} 32 ${side * -long} 30Z"/>`;
  };
  return `<g fill="${accent}">${range(9).map(leaf).join('')}<path d="M198 515h4L201 296h-2Z"/></g>`;
};

const families: readonly Family[] = [cloth, hills, ripples, tiles, stripes, twig];

/**
 * A book's cover, two to three: title above, ornament, author at the foot. The same book has the same cover in every process. No script, no
 * font and no picture from elsewhere, so a page may show it under the strictest policy.
 * @returns a whole SVG document
 */
export function coverSvg({ title, authors, isbn13 }: Printed): string {
  const bytes = createHash('sha256').update(isbn13).digest();
  const byte = (n: number): number => bytes[n % bytes.length] ?? 0;
  const draw = families[byte(0) % families.length] ?? cloth;
  const palette = palettes[byte(1) % palettes.length] ?? { paper: '#1f2a44', ink: '#f6efe0', accent: '#d9a441' };
  const { paper, ink, accent } = palette;
  const { lines, size } = fitted(title, [46, 42, 38, 34, 28, 24], 4, 0.66);
  const author = fitted(authors.join(', '), [21, 19, 17], 2, 0.58);
  const text = (line: string, y: number, fontSize: number, extra: string) =>
    `<text x="200" y="${round(y)}" font-size="${fontSize}"${extra}>${escaped(line)}</text>`;
  const first = 172 - ((lines.length - 1) * size * 1.16) / 2 + size * 0.34;
  const titleText = lines.map((line, n) => text(line, first + n * size * 1.16, size, ' font-weight="700"')).join('');
  const lastLine = 553 - (author.lines.length - 1) * 12;
  const authorText = author.lines
    .map((line, n) => text(line, lastLine + n * 20, author.size, ' letter-spacing="1"'))
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(`${title}, ${authors.join(', ')}`)}">
<rect width="${width}" height="${height}" fill="${paper}"/>
${draw(palette, (n) => byte(n + 2) / 256)}
<path d="M170 ${round(first + (lines.length - 1) * size * 1.16 + 30)}h60" stroke="${accent}" stroke-width="3"/>
<g fill="${ink}" text-anchor="middle" font-family="Georgia, 'Times New Roman', 'Liberation Serif', serif">${titleText}${authorText}</g>
</svg>
`;
}

const textWidth = 310;
/** What stands above the ornament must not reach into it. */
const mostHeight = 170;

/** The largest of `sizes` at which the text fits into so many lines; at the smallest the rest is cut with an ellipsis. */
function fitted(text: string, sizes: readonly number[], most: number, em: number) {
  let size = 0;
  let lines: readonly string[] = [];
  for (size of sizes) {
    lines = wrapped(text, Math.floor(textWidth / (size * em)));
    const fits = lines.length <= most && lines.length * size * 1.16 <= mostHeight;
    if (fits && lines.every((line) => line.length * size * em <= textWidth)) return { lines, size };
  }
  const letters = Math.floor(textWidth / (size * em));
  const kept = lines.slice(0, most).map((line) => (line.length > letters ? `${line.slice(0, letters - 1)}…` : line));
  if (lines.length > most) kept[most - 1] = `${kept[most - 1]?.slice(0, letters - 1)}…`;
  return { lines: kept, size };
}

/** Lines as even as they come: the fewest that fit, then the narrowest that need no more of them. */
function wrapped(text: string, letters: number): readonly string[] {
  const fewest = filled(text, letters);
  let best = fewest;
  for (let narrower = letters - 1; narrower > 3; narrower -= 1) {
    const lines = filled(text, narrower);
    if (lines.length > fewest.length || lines.some((line) => line.length > narrower)) break;
    best = lines;
  }
  return best;
}

function filled(text: string, letters: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= letters) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Fit for text and attributes of XML; control characters, which XML 1.0 cannot hold, are left out. */
const escaped = (text: string): string =>
  text.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/[&<>"]/g, (sign) => entities[sign] ?? '');
