abstract class SchemaError extends Error {
  abstract readonly code: string;
  abstract readonly retriable: boolean;
}

/** The registry answered that it has no schema of this id: the record can never be read, so it belongs in a dead-letter topic. */
export class SchemaNotFoundError extends SchemaError {
  readonly code = 'SCHEMA_NOT_FOUND';
  readonly retriable = false;
  readonly schemaId: number;

  constructor(topic: string, schemaId: number) {
    super(
      `${topic}: no schema with id ${schemaId} is in the registry; the record was not read. Register the writer's schema, or find who writes without one.`,
    );
    this.name = 'SchemaNotFoundError';
    this.schemaId = schemaId;
  }
}

/** The registry has a schema of this id, but no record of it can be read as one of ours: likewise. */
export class SchemaUnusableError extends SchemaError {
  readonly code = 'SCHEMA_UNUSABLE';
  readonly retriable = false;
  readonly schemaId: number;

  constructor(topic: string, schemaId: number, cause: Error) {
    super(
      `${topic}: schema ${schemaId} cannot be read by (${cause.message}); the record was not read. Its writer must register a compatible version in Avro.`,
      { cause },
    );
    this.name = 'SchemaUnusableError';
    this.schemaId = schemaId;
  }
}

/** The bytes are not what the wire format or the schema says. */
export class MalformedRecordError extends SchemaError {
  readonly code = 'MALFORMED_RECORD';
  readonly retriable = false;

  constructor(topic: string, what: string, options?: ErrorOptions) {
    super(
      `${topic}: ${what}; the record was not read. Its writer must send Avro in the Confluent wire format.`,
      options,
    );
    this.name = 'MalformedRecordError';
  }
}

/** The registry cannot be asked right now: the partition waits, nothing is lost. */
export class RegistryUnavailableError extends SchemaError {
  readonly code = 'REGISTRY_UNAVAILABLE';
  readonly retriable = true;

  constructor(url: string, options?: ErrorOptions) {
    super(
      `the schema registry at ${url} does not answer; what needs a schema not seen before waits for it. Check REGISTRY_URL and the registry.`,
      options,
    );
    this.name = 'RegistryUnavailableError';
  }
}

/** Something wants to code records before the schemas were connected: a fault of the program's start. */
export class SchemasNotConnectedError extends SchemaError {
  readonly code = 'SCHEMAS_NOT_CONNECTED';
  readonly retriable = false;

  constructor() {
    super('no schemas are connected: call connectSchemas (or useLocalSchemas in a test) before the first record');
    this.name = 'SchemasNotConnectedError';
  }
}
