import { StreamsError } from '../errors.ts';
import type { ProducedRecord, TopicPartition } from './port.ts';

/** The connection broke or an answer did not come in time; whether the request was carried out is unknown. */
export class BrokerConnectionError extends StreamsError {
  readonly code = 'BROKER_CONNECTION';
  override readonly retriable = true;
}

/** A request was not answered in time though its connection was up: the connection was given up, since nothing tells that it ever will be. */
export class BrokerSilentError extends BrokerConnectionError {}

/** A broker does not take the user or the secret that it was given. */
export class AuthenticationError extends StreamsError {
  readonly code = 'AUTHENTICATION';
}

/** A broker refused a request. `errorCode` is Kafka's (org.apache.kafka.common.protocol.Errors). */
export class BrokerRefusalError extends StreamsError {
  readonly code = 'BROKER_REFUSAL';
  override readonly retriable: boolean;
  readonly errorCode: number;

  constructor(
    what: string,
    errorCode: number,
    options: { readonly detail?: string; readonly retriable?: boolean } = {},
  ) {
    super(
      `${what}: the broker answered ${errorName(errorCode)} (${errorCode})${options.detail ? `: ${options.detail}` : ''}`,
    );
    this.errorCode = errorCode;
    this.retriable = options.retriable ?? false;
  }
}

/** A broker does not take the records of one partition. */
export class ProduceRefusalError extends BrokerRefusalError {
  readonly topic: string;
  readonly partition: number;
  /** Those that are at fault, as far as it is known. */
  readonly records: readonly ProducedRecord[];

  constructor(
    { topic, partition }: { readonly topic: string; readonly partition: number },
    errorCode: number,
    detail?: string | null,
    records: readonly ProducedRecord[] = [],
  ) {
    super(`Produce to ${topic}-${partition}`, errorCode, { ...(detail && { detail }) });
    this.topic = topic;
    this.partition = partition;
    this.records = records;
  }
}

/** The brokers cannot do what was asked of them; the message names the cure. */
export class UnsupportedBrokerError extends StreamsError {
  readonly code = 'UNSUPPORTED_BROKER';
}

/** The transaction was given up and nothing of it is visible: the caller drops what it holds and rewinds to the committed offsets. */
export class TransactionAbortedError extends StreamsError {
  readonly code = 'TRANSACTION_ABORTED';
  override readonly retriable = true;
  /** True when the group refused the offsets (old generation, expelled member): rejoin before going on. */
  readonly membershipLost: boolean;

  constructor(message: string, membershipLost: boolean, options?: ErrorOptions) {
    super(message, options);
    this.membershipLost = membershipLost;
  }
}

/**
 * Another owner holds the transactional id (or the broker timed the transaction out), so this one must stop and join anew.
 * What the last call wrote may have been settled either way: only the committed offsets tell.
 */
export class FencedError extends StreamsError {
  readonly code = 'FENCED';
  override readonly retriable = true;
}

/** Where a batch lies in its log. */
export interface BatchPlace extends TopicPartition {
  /** Of its first record. */
  readonly offset: number;
  /** Of what stands behind it. */
  readonly nextOffset: number;
}

/** Bytes that are not a record batch, fail its checksum, or cannot be read though they pass it. */
export class CorruptBatchError extends StreamsError {
  readonly code = 'CORRUPT_BATCH';
  /** Null: it was found out with one of its records. */
  readonly at: BatchPlace | null;

  constructor(message: string, options: ErrorOptions & { readonly at?: BatchPlace } = {}) {
    super(message, options);
    this.at = options.at ?? null;
  }
}

/** A batch is packed by a codec that this library does not unpack. */
export class UnsupportedCompressionError extends StreamsError {
  readonly code = 'UNSUPPORTED_COMPRESSION';
}

/** The installed kafkajs is not the one whose internals the seam was proven on. */
export class SeamVersionError extends StreamsError {
  readonly code = 'SEAM_VERSION';
}

const names: Readonly<Record<number, string>> = {
  1: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  10: 'MESSAGE_TOO_LARGE',
  14: 'COORDINATOR_LOAD_IN_PROGRESS',
  15: 'COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  22: 'ILLEGAL_GENERATION',
  25: 'UNKNOWN_MEMBER_ID',
  27: 'REBALANCE_IN_PROGRESS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  30: 'GROUP_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  35: 'UNSUPPORTED_VERSION',
  36: 'TOPIC_ALREADY_EXISTS',
  37: 'INVALID_PARTITIONS',
  38: 'INVALID_REPLICATION_FACTOR',
  40: 'INVALID_CONFIG',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  46: 'DUPLICATE_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  49: 'INVALID_PRODUCER_ID_MAPPING',
  50: 'INVALID_TRANSACTION_TIMEOUT',
  51: 'CONCURRENT_TRANSACTIONS',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  59: 'UNKNOWN_PRODUCER_ID',
  68: 'NON_EMPTY_GROUP',
  73: 'TOPIC_DELETION_DISABLED',
  82: 'FENCED_INSTANCE_ID',
  87: 'INVALID_RECORD',
  88: 'UNSTABLE_OFFSET_COMMIT',
  90: 'PRODUCER_FENCED',
  120: 'TRANSACTION_ABORTABLE',
};

export const errorName = (errorCode: number): string => names[errorCode] ?? 'an error';
