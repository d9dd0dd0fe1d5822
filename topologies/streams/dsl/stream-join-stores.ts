import type { SourceNode, TopologyNode } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { inMemoryJoinWindowStore } from '../state/in-memory-join-window-store.ts';
import { persistentJoinWindowStore } from '../state/join-window-store.ts';
import { leftOut } from '../state/left-out.ts';
import type { RereadSpec } from '../state/state-store.ts';
import { waitingRoom } from '../state/waiting-room.ts';
import type { Graph } from './graph.ts';
import { type JoinWindows, reachOf } from './windows.ts';

export interface StreamJoinStoreOptions {
  /**
   * True: windows on disk, for those that hold more than fits in memory; several times slower. Default false: both sides' records of the last
   * window and grace lie in memory, 30 to 60 bytes each beside key and value.
   */
  readonly persistent?: boolean;
  /**
   * True: windows in memory always have a changelog. Default false: of an inner join, a side that is a topic as it stands needs none. Its windows
   * are read again from there, so that topic must keep its records for as long as the windows reach.
   */
  readonly logged?: boolean;
}

interface Side {
  readonly node: TopologyNode;
  readonly valueSerde: Serde<unknown>;
}

/** What the stores are called, those of them that are made. */
interface JoinStoreNames {
  readonly left: string;
  readonly right: string;
  readonly waiting: string;
  readonly leftOut: string;
}

interface JoinSides {
  readonly type: 'inner' | 'left' | 'outer';
  readonly keySerde: Serde<unknown>;
  readonly left: Side;
  readonly right: Side;
  readonly windows: JoinWindows;
  readonly options: StreamJoinStoreOptions;
}

/** The stores of one stream-stream join, by their names; null: it needs none. */
export interface StreamJoinStores {
  readonly left: string;
  readonly right: string;
  readonly waiting: string | null;
  readonly leftOut: { readonly left: string | null; readonly right: string | null };
  readonly all: readonly string[];
}

export function streamJoinStores(graph: Graph, names: JoinStoreNames, sides: JoinSides): StreamJoinStores {
  const { type, keySerde, windows, options } = sides;
  const { left, right, leftOut: leftOutName } = names;
  const { beforeMs, afterMs, graceMs } = windows;
  const reachMs = reachOf(windows);
  // The original's stores forget one millisecond too soon, so that a window of zero joins nothing.
  const retentionMs = graph.semantics === 'strict' ? reachMs : beforeMs + afterMs + graceMs - 1;
  const mayReread =
    type === 'inner' && graph.semantics === 'strict' && options.logged !== true && options.persistent !== true;

  const addSide = (name: string, { node, valueSerde }: Side, isLeft: boolean): boolean => {
    const isFromSource = node.kind === 'source';
    const rereads: RereadSpec | undefined =
      mayReread && isFromSource && isKeptAsRead(node, keySerde, valueSerde)
        ? { source: node.name, leftOut: leftOutName, isLeft, reachMs }
        : undefined;
    const store = {
      name,
      join: left, // no other one has a store of this name
      isLeft,
      keySerde,
      valueSerde,
      retentionMs,
      isFromSource,
      ...(rereads && { rereads }),
    };
    graph.addStore(options.persistent ? persistentJoinWindowStore(store) : inMemoryJoinWindowStore(store));
    return rereads !== undefined;
  };
  const rereadsLeft = addSide(left, sides.left, true);
  const rereadsRight = addSide(right, sides.right, false);
  const waiting = type === 'inner' ? null : names.waiting;
  if (waiting !== null) {
    const serdes = { leftSerde: sides.left.valueSerde, rightSerde: sides.right.valueSerde };
    graph.addStore(waitingRoom({ name: waiting, keySerde, ...serdes }));
  }
  const hasLeftOut = rereadsLeft || rereadsRight;
  if (hasLeftOut) graph.addStore(leftOut(leftOutName));
  return {
    left,
    right,
    waiting,
    leftOut: { left: rereadsLeft ? leftOutName : null, right: rereadsRight ? leftOutName : null },
    all: [left, right, ...(waiting === null ? [] : [waiting]), ...(hasLeftOut ? [leftOutName] : [])],
  };
}

/**
 * The input holds byte for byte what the store does, for as long as it is kept: not so where an extractor gives other times, where earlier
 * records were passed over at the first start, or in a repartition topic, which is purged.
 */
const isKeptAsRead = (source: SourceNode, keySerde: Serde<unknown>, valueSerde: Serde<unknown>): boolean =>
  source.internal === null &&
  source.timestampExtractor === null &&
  source.offsetReset === 'earliest' &&
  source.keySerde === keySerde &&
  source.valueSerde === valueSerde &&
  valueSerde.ofAnyTopic === true;
