import { ByteWriter } from '../kafka/bytes.ts';
import { ClusterClient } from '../kafka/cluster-client.ts';
import type { Request } from '../kafka/protocol/request.ts';

/** Bytes or per cent of a thread's time, each second (KIP-13, KIP-124). */
export type Quota = Readonly<
  Partial<Record<'producer_byte_rate' | 'consumer_byte_rate' | 'request_percentage', number>>
>;

/** AlterClientQuotas (KIP-546) for whoever calls itself `clientId`. */
const alterRequest = (clientId: string, quota: Quota): Request<readonly number[]> => {
  const writer = new ByteWriter();
  writer.compactArray([clientId], () => {
    writer.compactArray([clientId], () => writer.compactString('client-id').compactString(clientId));
    writer.compactArray(Object.entries(quota), ([name, value]) => {
      const double = Buffer.alloc(8);
      double.writeDoubleBE(value);
      writer.compactString(name).raw(double).bool(false);
    });
  });
  writer.bool(false).int8(0);
  return {
    api: { name: 'AlterClientQuotas', key: 49, version: 1, flexible: true },
    body: [writer.bytes()],
    read: (reader) => {
      const throttleMs = reader.int32();
      const value = reader.compactArray(() => {
        const errorCode = reader.int16();
        reader.compactString();
        reader.compactArray(() => [reader.compactString(), reader.compactString()]);
        return errorCode;
      });
      return { throttleMs, value };
    },
  };
};

export async function setQuota(bootstrapServers: string, clientId: string, quota: Quota): Promise<void> {
  const client = new ClusterClient({ bootstrapServers: [bootstrapServers], clientId: 'quota-setter' });
  const [errorCode] = await client.askAny(alterRequest(clientId, quota));
  client.close();
  if (errorCode !== 0) throw new Error(`the quota of ${clientId} was not set: ${errorCode}`);
}
