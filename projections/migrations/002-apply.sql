-- One batch of one partition, in one round trip and one transaction: the fence, the rows, the position. Nothing is written unless the claim holds
-- and the batch begins where the partition stands; the answer says what was found. Each of `statements` takes its element of `arguments`.
create function projection_apply(
  claimed_projection text,
  claimed_build integer,
  claimed_topic text,
  claimed_partition integer,
  claimed_epoch bigint,
  while_live boolean,
  from_offset bigint,
  to_offset bigint,
  statements text[],
  arguments jsonb
) returns jsonb language plpgsql as $$
declare
  live_build integer;
  fence projection_checkpoints;
begin
  -- The pointer first: who waits for a switch holds nothing that the switch may want.
  if while_live then
    select build into live_build from projection_live where projection = claimed_projection for share;
  end if;
  select * into fence from projection_checkpoints
  where projection = claimed_projection and build = claimed_build and topic = claimed_topic and partition = claimed_partition
  for update;

  if fence.epoch = claimed_epoch and fence.next_offset = from_offset and (not while_live or live_build = claimed_build) then
    for place in 1 .. cardinality(statements) loop
      execute statements[place] using arguments -> place - 1;
    end loop;
    update projection_checkpoints set next_offset = to_offset
    where projection = claimed_projection and build = claimed_build and topic = claimed_topic and partition = claimed_partition;
  end if;
  return jsonb_build_object('epoch', fence.epoch, 'nextOffset', fence.next_offset, 'live', live_build);
end $$;
