import type { Pool } from 'pg';
import { Accounts } from './accounts.ts';
import { connect } from './database.ts';
import { writeToOutbox } from './events.ts';
import { prepare } from './passwords.ts';
import { RefreshTokens } from './refresh-tokens.ts';
import { TokenIssuer } from './tokens.ts';

/** The accounts over their database, whose migrations have run. The caller ends the pool. */
export async function openAccounts(url: string): Promise<{ pool: Pool; accounts: Accounts; tokens: TokenIssuer }> {
  const pool = connect(url);
  const tokens = new TokenIssuer(pool);
  await tokens.prepare();
  await prepare();
  const refresh = await RefreshTokens.open(pool);
  return { pool, tokens, accounts: new Accounts({ pool, tokens, refresh, write: writeToOutbox }) };
}
