/** Where the query endpoint of an instance answers. */
export interface QueryAddress {
  readonly instanceId: string;
  readonly host: string;
  readonly port: number;
}

/** Which instances there are; what they own they say themselves. Ask it for those of the same applications. */
export interface QueryDirectory {
  /** Told once the endpoint of this instance listens. */
  announce(self: QueryAddress): void | Promise<void>;
  /** This instance may be among them. A rejection counts as none. */
  instances(): readonly QueryAddress[] | Promise<readonly QueryAddress[]>;
}

/** Addresses that are known beforehand. */
export const fixedDirectory = (instances: readonly QueryAddress[]): QueryDirectory => ({
  announce: () => {},
  instances: () => instances,
});
