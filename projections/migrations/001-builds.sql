-- Builds of a projection stand beside each other; readers see the live one through views of the tables' own names.
create table projection_builds (
  projection text not null,
  build integer not null,
  state text not null check (state in ('BUILDING', 'LIVE', 'KEPT', 'DROPPED')),
  definition text not null,
  created_at timestamptz not null default now(),
  primary key (projection, build)
);

-- The pointer. Batches of the live build hold its row for share, the switch for update: so nothing moves while it happens.
create table projection_live (
  projection text primary key,
  build integer not null,
  switched_at timestamptz not null default now(),
  foreign key (projection, build) references projection_builds
);

-- Position and fence of a partition in one row: a batch is written only by the holder of the epoch, and only from next_offset on.
create table projection_checkpoints (
  projection text not null,
  build integer not null,
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  epoch bigint not null,
  -- Rows and content hash by table as a rebuild folded them; null once they were read back, and for what was never loaded.
  loaded jsonb,
  primary key (projection, build, topic, partition)
);
