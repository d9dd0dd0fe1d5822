/** Kafka's `Utils.murmur2` (32 bit, seed 0x9747b28c): where every client of a cluster must send a key. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  const m = 0x5bd1e995;
  let h = (0x9747b28c ^ length) | 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = length - at;
  if (rest >= 3) h ^= (data[at + 2] ?? 0) << 16;
  if (rest >= 2) h ^= (data[at + 1] ?? 0) << 8;
  if (rest >= 1) h = Math.imul(h ^ (data[at] ?? 0), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** The partition of a key, as `BuiltInPartitioner.partitionForKey` chooses it. A record without a key goes to partition 0: it has no place of its own. */
export const partitionForKey = (key: Uint8Array | null, partitions: number): number =>
  key === null || partitions === 1 ? 0 : (murmur2(key) & 0x7fffffff) % partitions;
