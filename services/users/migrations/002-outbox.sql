-- What is to be published, written in the transaction of the change it tells of. A row is inserted after its user's row was locked
-- (or created), so whoever sees a row also sees every earlier row of the same key.
create table outbox (
  id bigint generated always as identity primary key,
  event_id uuid not null unique,
  topic text not null,
  key text not null,
  value bytea not null,
  headers jsonb not null default '{}',
  created_at timestamptz not null default now(),
  published_at timestamptz,
  -- who wrote it: rows below the oldest running transaction have no earlier row that is still to come
  tx xid8 not null default pg_current_xact_id()
);
create index outbox_waiting on outbox (id) where published_at is null;
