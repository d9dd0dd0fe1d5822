/** Somebody with an account in the demo shop. */
interface SeedPerson {
  readonly email: string;
  readonly displayName: string;
  readonly role: 'SHOPPER' | 'ADMIN';
  /** Euro cents that the wallet opens with. */
  readonly topUpMinor: number;
}

/** Of all of them. Known to everybody, so a shop that others can reach must not be seeded. */
export const password = 'bookstream-demo';

/** Linus’s wallet is smaller than the cheapest book, to show what a shopper without money is told. */
export const people: readonly SeedPerson[] = [
  { email: 'ada@bookstream.test', displayName: 'Ada', role: 'SHOPPER', topUpMinor: 20_000 },
  { email: 'grace@bookstream.test', displayName: 'Grace', role: 'SHOPPER', topUpMinor: 20_000 },
  { email: 'linus@bookstream.test', displayName: 'Linus', role: 'SHOPPER', topUpMinor: 500 },
  { email: 'admin@bookstream.test', displayName: 'Shop admin', role: 'ADMIN', topUpMinor: 0 },
];
