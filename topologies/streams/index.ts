export { BranchedKStream } from './dsl/branched-k-stream.ts';
export { CogroupedKStream } from './dsl/cogrouped-k-stream.ts';
export type { ForeignKeyJoinOptions } from './dsl/foreign-key-join.ts';
export type { GraphOptions } from './dsl/graph.ts';
export { KGroupedStream, type MaterializedOptions } from './dsl/k-grouped-stream.ts';
export { KGroupedTable } from './dsl/k-grouped-table.ts';
export { KStream } from './dsl/k-stream.ts';
export { GlobalKTable, type GroupByOptions, KTable, type TableResultOptions } from './dsl/k-table.ts';
export type { Forwarded, Processor, ProcessorContext, ProcessorSupplier } from './dsl/processor.ts';
export type { RememberOptions, ScanOptions } from './dsl/remembering.ts';
export { SessionWindowedKStream } from './dsl/session-windowed-k-stream.ts';
export {
  type HistoryOptions,
  type KeyValueStoreOptions,
  Stores,
  type VersionedKeyValueStoreOptions,
} from './dsl/stores.ts';
export type {
  MapAsyncOptions,
  Named,
  ProcessOptions,
  ProducedOptions,
  RepartitionOptions,
  StreamJoinOptions,
  StreamTableJoinOptions,
  ToTableOptions,
  ValueJoiner,
} from './dsl/stream-options.ts';
export {
  type ConsumedOptions,
  type GlobalTableOptions,
  type StreamOptions,
  StreamsBuilder,
  type TableOptions,
  type TopicLike,
} from './dsl/streams-builder.ts';
export type { BufferConfig, UntilTimeLimit, UntilWindowCloses } from './dsl/suppressed.ts';
export { TimeWindowedKStream } from './dsl/time-windowed-k-stream.ts';
export type { WindowMaterializedOptions } from './dsl/window-stores.ts';
export type { Windowed } from './dsl/windowed.ts';
export {
  SessionWindowedCogroupedKStream,
  TimeWindowedCogroupedKStream,
} from './dsl/windowed-cogrouped-k-stream.ts';
export { type WindowedSerde, WindowedSerdes } from './dsl/windowed-serdes.ts';
export { type EmitStrategy, JoinWindows, SessionWindows, SlidingWindows, TimeWindows } from './dsl/windows.ts';
export * from './errors.ts';
export type { InMemoryBroker } from './kafka/in-memory-broker.ts';
export type { Header } from './kafka/port.ts';
export type { Labels, MetricFamily, MetricSample } from './metrics/metric-families.ts';
export { prometheusText } from './metrics/prometheus-text.ts';
export {
  type InputFrom,
  type InternalTopic,
  type InternalTopicRole,
  inputsOf,
  internalTopicsOf,
  outputsOf,
} from './operate/application-topics.ts';
export { readDeadLetters } from './operate/dead-letters.ts';
export { type ParkedKey, type ParkedRecord, readParked } from './operate/parked.ts';
export {
  NotParkingError,
  type RedriveOptions,
  type RedriveOutcome,
  type RedriveRequest,
  redrive,
  redriveRecordOf,
} from './operate/redrive.ts';
export {
  ApplicationRunsError,
  planReset,
  type ResetOptions,
  type ResetPlan,
  resetApplication,
} from './operate/reset.ts';
export type { ApplicationPlan } from './plan/application-plan.ts';
export { diffTopologies, type TopologyChange, type TopologyDiff } from './plan/diff-topologies.ts';
export type {
  CallContext,
  Cancellable,
  DropReason,
  PunctuationType,
  StoreBuilder,
  TimestampExtractor,
} from './plan/node.ts';
export { Topology } from './plan/topology.ts';
export type { TopologyDescription } from './plan/topology-description.ts';
export type { ApplicationQueries, KeyOwner, StoreQueryOptions } from './query/application-queries.ts';
export type { ChangeGap } from './query/change-queue.ts';
export { fixedDirectory, type QueryAddress, type QueryDirectory } from './query/directory.ts';
export type { QueryEndpointOptions } from './query/query-endpoint.ts';
export type {
  LimitOptions,
  QueryableStore,
  QueryResult,
  QueryRow,
  RowsResult,
  WindowRow,
} from './query/queryable-store.ts';
export type { ChangeOptions, StoreChange } from './query/store-changes.ts';
export type { ModuleApplication } from './runtime/application-module.ts';
export type { ApplicationState, ProcessingGuarantee } from './runtime/application-runner.ts';
export type { DeadLetter } from './runtime/dead-letter.ts';
export type {
  Failure,
  FailureHandler,
  FailureHandling,
  ProductionFailure,
  ProductionHandler,
} from './runtime/failure-handling.ts';
export type { RecordMetadata, StreamRecord } from './runtime/record.ts';
export type { RestoreProgress } from './runtime/restore-progress.ts';
export { StreamsPool, type StreamsPoolOptions } from './runtime/streams-pool.ts';
export { StreamsWorker, type StreamsWorkerOptions, type WorkerApplication } from './runtime/worker.ts';
export { inPlace, type ReadPart, type Serde, Serdes } from './serde.ts';
export type { ReadOnlySessionStore, SessionStore, SessionStoreOptions } from './state/session-store.ts';
export type {
  KeyValueStore,
  ReadOnlyKeyValueStore,
  StateStore,
  TimestampedKeyValueStore,
  ValueAndTimestamp,
} from './state/state-store.ts';
export type { VersionedKeyValueStore, VersionedPut } from './state/versioned-store.ts';
export type { ReadOnlyWindowStore, WindowStore, WindowStoreOptions } from './state/window-store.ts';
export type { CrashPoint, Drop } from './test/driven-application.ts';
export {
  type DriverOptions,
  type InputTopic,
  type OutputTopic,
  type RowsOf,
  type Step,
  type TestRecord,
  TopologyTestDriver,
} from './test/topology-test-driver.ts';
export type { Span, SpanContext, SpanOptions, Tracer, TracingOptions } from './tracing/tracer.ts';
