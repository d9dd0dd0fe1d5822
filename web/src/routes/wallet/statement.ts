import { graphql, type ResultOf } from '#lib/api/graphql.ts';

const WalletEntry = graphql(`
  fragment WalletEntry on WalletEntry {
    id
    type
    orderId
    at
    amount {
      minor
      currency
    }
    balance {
      minor
      currency
    }
    held {
      minor
      currency
    }
  }
`);
export const Statement = graphql(
  `
    query Statement($first: Int!, $after: String) {
      viewer {
        wallet {
          balance {
            minor
            currency
          }
          held {
            minor
            currency
          }
          available {
            minor
            currency
          }
          entries(first: $first, after: $after) {
            edges {
              node {
                ...WalletEntry
              }
            }
            pageInfo {
              hasNextPage
              endCursor
            }
          }
        }
      }
    }
  `,
  [WalletEntry],
);
export type Entry = ResultOf<typeof WalletEntry>;

/** What happened, and which way the balance went: `0` where only the held part moved. */
export const entryWords: Readonly<Record<Entry['type'], readonly [what: string, sign: '+' | '−' | '0']>> = {
  TOP_UP: ['Paid in', '+'],
  HOLD: ['Set aside for an order', '0'],
  RELEASE: ['Set free again', '0'],
  CAPTURE: ['Paid for an order', '−'],
  REFUND: ['Paid back', '+'],
};
