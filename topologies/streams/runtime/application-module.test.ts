import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { loadApplication, loadTopology, moduleUrl } from './application-module.ts';

/** A module with `source`, a function that reads a topic, and what `code` exports. */
const moduleOf = (code: string): string => {
  const source = `
    const serde = { serialize: () => null, deserialize: () => null };
    const source = (builder, name) => builder.stream({ name, keySerde: serde, valueSerde: serde }).to('out');`;
  return `data:text/javascript,${encodeURIComponent(source + code)}`;
};

test.each([
  ['a function build', 'export const build = source;'],
  ['a function as its default', 'export default source;'],
  ['one that awaits', 'export const build = async (builder, name) => { await null; source(builder, name); };'],
  [
    'one that returns a topology',
    'export default (builder, name) => { source(builder, name); return builder.build(); };',
  ],
])('%s makes the topology, of a builder and what it is given', async (_what, code) => {
  const { topology, ...handlers } = await loadApplication(moduleOf(code), 'orders');
  expect(topology.describe()).toMatch(/topics: \[orders\]/);
  expect(Object.values(handlers)).toEqual([null, null, null, null, null, null]);
});

test('handlers come with it', async () => {
  const code = `
    export default source; export const onFailure = () => 'continue'; export const onProductionError = () => 'continue';
    export const log = () => {}; export const onClosed = () => {}; export const decompress = { lz4: (frame) => frame };`;
  const { onFailure, onProductionError, log, onClosed, decompress } = await loadApplication(moduleOf(code), 'in');
  expect([onFailure, onProductionError, log, onClosed].map((one) => typeof one)).toEqual(Array(4).fill('function'));
  expect(decompress?.lz4?.(Buffer.of(1))).toEqual(Buffer.of(1));
});

test('tracing is made in the thread, of what the application is given; not where only the topology is wanted', async () => {
  const code =
    'export default source; export const tracing = async (data) => ({ tracer: data, contextOf: (of) => of });';
  expect((await loadApplication(moduleOf(code), 'in')).tracing).toMatchObject({ tracer: 'in' });
  const url = moduleOf("export default source; export const tracing = () => { throw new Error('no exporter'); };");
  await expect(loadApplication(url, 'in')).rejects.toThrow('no exporter');
  expect((await loadTopology(url, 'in')).describe()).toMatch(/topics: \[in\]/);
});

test('a module that makes nothing, or cannot be loaded, is told by its address', async () => {
  await expect(loadApplication(moduleOf('export const x = 1'), null)).rejects.toThrow(
    /data:.* exports neither a function build\(builder\).*nor a topology/,
  );
  await expect(loadApplication(moduleOf('throw new Error("broken")'), null)).rejects.toThrow(/data:.*: broken/);
});

test('a path counts from the working directory, an address is taken as it is', () => {
  expect(moduleUrl('a/b.ts')).toBe(pathToFileURL('a/b.ts').href);
  expect(moduleUrl(new URL('file:///a/b.ts'))).toBe('file:///a/b.ts');
  expect(moduleUrl('file:///a/b.ts')).toBe('file:///a/b.ts');
});
