/** Every error the library throws on purpose. `code` is stable, `retriable` says whether the same call may succeed later. */
export abstract class StreamsError extends Error {
  abstract readonly code: string;
  readonly retriable: boolean = false;

  override get name(): string {
    return this.constructor.name;
  }
}
