import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1_000);
  return () => clearInterval(timer);
});

/** This machine's clock for what is shown; moves once a second while somebody looks at it. */
export const now = {
  /** Epoch milliseconds. */
  get ms(): number {
    subscribe();
    return Date.now();
  },
};
