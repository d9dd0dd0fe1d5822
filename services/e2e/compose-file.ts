import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Written {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly pull_policy?: string;
  readonly hostname?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly restart?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

/** The part of docker-compose.yml that code must agree with. */
export interface Compose {
  readonly services: Readonly<Record<string, Written>>;
  readonly volumes: Readonly<Record<string, null>>;
}

export const root = join(import.meta.dirname, '..', '..');
export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The text as Compose reads it where no variable is set: anchors merged, defaults in place, `$$` a plain `$`. */
export const readCompose = (text: string): Compose =>
  parse(text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll('$$', '$'), { merge: true });

/** A container with what it leaves out made plain. */
export interface Container extends Written {
  readonly name: string;
  /** Without its tag. */
  readonly repository: string;
  /** An engine out of an image of others, or ours: a service, or a task that comes to an end. */
  readonly runs: 'engine' | 'service' | 'task';
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What its health check calls; '' when it has none. */
  readonly probe: string;
}

export const containersOf = (compose: Compose): readonly Container[] =>
  Object.entries(compose.services).map(([name, written]) => {
    const { command = [], environment = {}, healthcheck } = written;
    const repository = written.image.split(':')[0] ?? '';
    return {
      ...written,
      name,
      repository,
      runs: repository !== 'bookstream' ? 'engine' : command[0] === 'service' ? 'service' : 'task',
      command,
      env: Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)])),
      probe: healthcheck?.test?.join(' ') ?? '',
    };
  });

/** Every host:port that a container's environment names. */
export const addressesIn = ({ env }: Container) =>
  Object.values(env).flatMap((value) =>
    [...value.matchAll(/(?:^|[/@,])([a-z][\w-]*):(\d+)/g)].map(([, host = '', port = '']) => ({ host, port })),
  );
