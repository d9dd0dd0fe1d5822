// An application that reads what is packed, as a module for the threads of a pool.
import { Serdes, type StreamsBuilder } from '../index.ts';

export { smallDecompressors as decompress } from './small-decompressors.ts';

export function build(builder: StreamsBuilder, { from, to }: { readonly from: string; readonly to: string }): void {
  const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
  builder.stream(text(from)).to(text(to));
}
