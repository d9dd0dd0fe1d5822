import { Link } from '../kafka/link.ts';

/**
 * From now on transactions of this process may last `timeoutMs` in place of what the library asks for. The broker ends those that last longer when it
 * looks for them (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
 */
export function limitTransactions(timeoutMs: number): void {
  const { send } = Link.prototype;
  Link.prototype.send = function (api, body, answerWithinMs) {
    const [first] = body;
    // InitProducerId begins with the transactional id behind its length + 1 (0: none), then the time.
    const idLength = first?.[0] ?? 0;
    if (api.name !== 'InitProducerId' || first === undefined || idLength === 0)
      return send.call(this, api, body, answerWithinMs);
    const limited = Buffer.from(first);
    limited.writeInt32BE(timeoutMs, idLength);
    return send.call(this, api, [limited], answerWithinMs);
  };
}

/**
 * The nth request of this kind that this process sends from now on waits until `until` resolves, as if the process had stood still in front of it.
 * @param apiName of a request of a transaction
 * @param until told whose transaction it is
 * @returns resolves when that request goes on
 */
export function holdOnce(
  apiName: 'Produce' | 'TxnOffsetCommit' | 'EndTxn',
  nth: number,
  until: (transactionalId: string) => Promise<void>,
): Promise<void> {
  const { send } = Link.prototype;
  const held = Promise.withResolvers<void>();
  let seen = 0;
  Link.prototype.send = async function (api, body, answerWithinMs) {
    if (api.name !== apiName || ++seen !== nth) return send.call(this, api, body, answerWithinMs);
    Link.prototype.send = send;
    const id = body[0] ?? new Uint8Array();
    await until(Buffer.from(id.subarray(1, id[0])).toString()).then(held.resolve, held.reject);
    return send.call(this, api, body, answerWithinMs);
  };
  return held.promise;
}
