/** Every error the projections throw on purpose. `code` is stable, `retriable` says whether the same call may succeed later. */
export abstract class ProjectionError extends Error {
  abstract readonly code: string;
  readonly retriable: boolean = false;

  override get name(): string {
    return this.constructor.name;
  }
}

/** Another process has taken the partition over. Nothing of the batch counts: the new owner folds those records itself. */
export class FencedError extends ProjectionError {
  readonly code = 'FENCED';

  constructor(projection: string, partition: string, epoch: number, current: number | null) {
    super(
      `${projection}: ${partition} was claimed with epoch ${epoch} and is now at epoch ${current ?? 'none'}; the batch was not written. ` +
        'The new owner goes on; this one may claim the partition again.',
    );
  }
}

/** Readers see another build now: claim the partitions of that one. */
export class BuildSwitchedError extends ProjectionError {
  readonly code = 'BUILD_SWITCHED';
  override readonly retriable = true;

  constructor(projection: string, build: number, live: number) {
    super(`${projection}: build ${live} is live now; nothing more is written to build ${build}.`);
  }
}

/** The live build was made by another definition of the projection, so its rows do not fit the fold. */
export class DefinitionChangedError extends ProjectionError {
  readonly code = 'DEFINITION_CHANGED';

  constructor(projection: string, build: number) {
    super(
      `${projection} was changed since build ${build} was made; nothing was written. Cure: bookstream projection rebuild ${projection}`,
    );
  }
}

/** What was loaded is not what was folded, or the topic is not what it was. The live build is untouched. */
export class RebuildError extends ProjectionError {
  readonly code = 'REBUILD';
}

/** Somebody cancelled the rebuild. The live build is untouched. */
export class RebuildCancelledError extends ProjectionError {
  readonly code = 'REBUILD_CANCELLED';

  constructor(projection: string, build: number) {
    super(
      `the rebuild of ${projection} was cancelled; build ${build} was dropped and readers see what they saw before.`,
    );
  }
}

/** A cursor that no page gave out. */
export class InvalidCursorError extends ProjectionError {
  readonly code = 'INVALID_CURSOR';

  constructor() {
    super('this cursor did not come from this list; nothing was read. Ask again without it.');
  }
}

export class UnknownProjectionError extends ProjectionError {
  readonly code = 'UNKNOWN_PROJECTION';

  constructor(name: string, known: readonly string[]) {
    super(`there is no projection ${JSON.stringify(name)}; nothing was done. There are: ${known.join(', ')}.`);
  }
}

/** A migration that was applied has been edited since. */
export class MigrationChangedError extends ProjectionError {
  readonly code = 'MIGRATION_CHANGED';

  constructor(file: string) {
    super(
      `${file} was applied and has been changed since; nothing was applied. Cure: undo the change, add a new file.`,
    );
  }
}
