import { topics } from '@bookstream/schemas/topics';
import type { StreamsBuilder } from '@bookstream/streams';
import { stateSerde } from '../shared/state-serde.ts';
import { whole } from '../shared/whole.ts';
import { type ViewedOrder, viewOf } from './view.ts';

export const applicationId = 'bookstream-order-view';

/** Folds orders.events into one row an order, on a compacted topic, so that every reader sees the same order without folding it again. */
export function build(builder: StreamsBuilder): void {
  builder
    .stream(topics.ordersEvents, whole)
    .groupByKey()
    .aggregate<ViewedOrder | null>(
      () => null,
      (_orderId, event, seen) => viewOf(seen, event),
      { as: 'order-view', store: 'viewed-orders', valueSerde: stateSerde<ViewedOrder | null>() },
    )
    .toStream()
    .flatMapValues((seen) => (seen === null ? [] : [seen.view]))
    .to(topics.ordersView);
}
