-- Accounts. This database is a source, not a read model: nothing else can bring it back.

create table users (
  user_id uuid primary key,
  email text not null,
  -- NFC and lower case: what makes two addresses the same account
  email_key text not null unique,
  display_name text not null,
  role text not null check (role in ('SHOPPER', 'ADMIN')),
  -- a PHC string; its parameters are part of it, so that they can be raised later
  password_hash text not null,
  -- AES-256 key that seals what users.events tells of this person; dropping it erases the person from a topic that keeps for ever
  personal_key bytea not null check (octet_length(personal_key) = 32),
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);

-- One login on one device, over all the refresh tokens it will ever have.
create table refresh_families (
  family_id uuid primary key,
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  revoked_because text
);
create index refresh_families_by_user on refresh_families (user_id) where revoked_at is null;

-- Only the hash is kept. `rotated_at` is null for the newest token of its family.
create table refresh_tokens (
  token_hash bytea primary key,
  family_id uuid not null references refresh_families on delete cascade,
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null,
  rotated_at timestamptz
);
create index refresh_tokens_by_family on refresh_tokens (family_id);

-- Keys of the tokens. The newest signs; a key with `retired_at` in the past only verifies until its last token has ended.
create table signing_keys (
  kid text primary key,
  public_jwk jsonb not null,
  private_jwk jsonb not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);

-- Secrets that must outlive the process; `refresh-chain` derives the successor of a refresh token.
create table secrets (
  name text primary key,
  secret bytea not null
);
