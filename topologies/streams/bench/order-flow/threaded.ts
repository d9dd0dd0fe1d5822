// The order flow as it is made in each thread of app.ts.
import { inPlace, type Serde, type StreamsBuilder, type StreamsPoolOptions, type TopicLike } from '../../index.ts';
import { partReaderOf } from '../../serde.ts';
import { inputTopics, orderFlow, outputTopics } from './topology.ts';

/** Of the names of topics. */
export interface Suffixes {
  readonly in: string;
  readonly out: string;
}

/** Broadcast channel on which each thread posts when it decoded its first value, in epoch ms. */
export const firstDecoded = 'order-flow/first-decoded';

let restored = false;
let begun = false;

/** Tells of the first value that is decoded for processing; a restore of the joins reads inputs too. */
function watched<V>(topic: TopicLike<string, V>): TopicLike<string, V> {
  const read = partReaderOf(topic.valueSerde);
  if (read === undefined) throw new Error(`the values of ${topic.name} cannot be read in their place`);
  const valueSerde: Serde<V> = {
    ...topic.valueSerde,
    deserialize: inPlace((name, bytes, from, to) => {
      if (!begun && restored) {
        begun = true;
        const channel = new BroadcastChannel(firstDecoded);
        channel.postMessage(Date.now());
        channel.close();
      }
      return read(name, bytes, from, to);
    }),
  };
  return { ...topic, valueSerde };
}

export function build(builder: StreamsBuilder, suffixes: Suffixes): void {
  const { orders, reservations, payments } = inputTopics(suffixes.in);
  const inputs = { orders: watched(orders), reservations: watched(reservations), payments: watched(payments) };
  orderFlow(builder, inputs, outputTopics(suffixes.out));
}

export const log: StreamsPoolOptions['log'] = (_level, event) => {
  if (event === 'restored') restored = true; // also of nothing, before a thread's first record
};
