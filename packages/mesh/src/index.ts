export {
  checkContracts,
  type CheckOptions,
  type CompatibilityMode,
  type Incompatibility,
} from './compatibility/check-contracts.ts'
export {
  type ContractSnapshot,
  contractsSnapshot,
  type ContractsSnapshot,
  type SnapshotOptions,
} from './compatibility/snapshot.ts'
export { type HandlerSnapshot, serviceContracts, type ServiceContracts } from './compatibility/service-contracts.ts'
export type { JsonSchema } from './compatibility/json-schema.ts'
export { askStatus } from './control/ask-status.ts'
export {
  type HandlerControl,
  type Pause,
  pauseAt,
  readControlOf,
  readControls,
  type StoredControl,
} from './control/handler-control.ts'
export type { HandlerStatus, InstanceStatus, PublishedStatus } from './control/status.ts'
export { type Limits, limitFaults, type RateLimit } from './consume/rate-limit.ts'
export {
  decodeRecord,
  type HeldKey,
  type KeptRetry,
  type OpenKey,
  type PartitionRecord,
} from './consume/ordered/partition-record.ts'
export { nanosOf } from './consume/ordered/stored-delivery.ts'
export { days, hours, minutes, seconds } from './durations.ts'
export type { DelayApi } from './delay/api.ts'
export type { DelayOptions } from './delay/delay.ts'
export type { DelayDurable } from './delay/durable.ts'
export type { Delayed, DelayedOptions } from './delay/listing.ts'
export type { ScheduleOptions } from './delay/recurrence.ts'
export type { Scheduled } from './delay/recurring.ts'
export { Busy, type Disposition, MeshError, type MeshErrorCode, meshErrors, Reject, RetryAfter } from './errors.ts'
export { ResponseError, responseError, type ResponseLike } from './failure/http.ts'
export {
  type AttemptFailed,
  attemptFailed,
  type BreakerChanged,
  breakerChanged,
  type PublishFailed,
  publishFailed,
} from './failure/mesh-events.ts'
export { isDeclared, isMatch, isObject, isWhole, isWithin, shown } from './given.ts'
export { LETTER_HEADER } from './failure/dead-letter.ts'
export { LANE_HEADER } from './failure/lane-headers.ts'
export { RUN_HEADER } from './run/run-headers.ts'
export { defaultRetry, retry, type RetryPolicy, untilBack } from './failure/retry-policy.ts'
export { type Lease, type LeaseBucket, type LeaseOptions, type SeenHolder, tryLease } from './lease/lease.ts'
export type { BootHandler, BootReport } from './lifecycle/boot-report.ts'
export type { BucketOptions } from './lifecycle/bucket.ts'
export { connectMesh } from './lifecycle/connect-mesh.ts'
export type { Health, Mesh } from './lifecycle/mesh.ts'
export { ENDS_SOON_MS } from './lifecycle/expiry-watch.ts'
export type { Expiring, ExpiringKind } from './lifecycle/own-files.ts'
export { type MeshOptions, meshOptions, type TlsFiles, type TopologyMode } from './lifecycle/options.ts'
export { ownInbox } from './lifecycle/own-inbox.ts'
export type { RunningService } from './lifecycle/start-service.ts'
export { type Codec, faultPlace, json } from './message/codec.ts'
export {
  type AnyContract,
  command,
  type Contract,
  type ContractOptions,
  covers,
  event,
  topic,
  type Topic,
} from './message/contract.ts'
export { type Envelope, readEnvelope, type ReceivedHeaders, receivedHeaders } from './message/envelope.ts'
export { decodeAttribute, encodeAttribute, HEADER } from './message/headers.ts'
export { derivedId, type DerivedIdParts } from './message/id.ts'
export { keyToken, partitionOf, subjectOf } from './message/key.ts'
export type { Priority } from './message/priority.ts'
export { decodePayload } from './message/validate.ts'
export { type Logger, silentLogger } from './observe/logger.ts'
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type Metrics,
  type MetricSpec,
  noMetrics,
} from './observe/metrics.ts'
export type { Stage, StageEvent } from './observe/stages.ts'
export type { Expectation } from './publish/expectation.ts'
export {
  type Publication,
  publication,
  type PublicationOptions,
  type PublishAllOptions,
} from './publish/publish-all.ts'
export { prepareEvent, type PreparedEvent, type PrepareOptions } from './publish/prepared.ts'
export type { PublishOptions } from './publish/outgoing.ts'
export type { Published, Queued } from './publish/publisher.ts'
export type { SpoolOptions } from './publish/spool/spool.ts'
export { directAnswers } from './read/direct-answers.ts'
export type { DirectMessage, DirectStatus } from './read/direct-message.ts'
export { getStored, type StoredMessage } from './read/stored-message.ts'
export {
  type AnyRequest,
  type ErrorSchemas,
  type NoErrors,
  request,
  type RequestContract,
  type RequestContractOptions,
} from './request/contract.ts'
export type { RequestOptions } from './request/prepare.ts'
export {
  reply,
  type ReplyContext,
  type ReplyDef,
  type ReplyHandler,
  type ReplyOptions,
  type ReplyStreamHandler,
} from './request/reply.ts'
export { isReplyError, type NamedErrors, ReplyError, replyError, type ReplyErrorOf } from './request/reply-error.ts'
export type { RequestStreamOptions } from './request/request-stream.ts'
export { type BatchContext, type BatchHandler, type BatchMessage, type BatchOptions, onBatch } from './service/batch.ts'
export type { HandlerContext, OrderedContext, OutputOptions } from './service/context.ts'
export {
  defineService,
  type Handler,
  type HandlerDef,
  type HandlerOptions,
  type OrderedHandlerOptions,
  on,
  type OrderedHandler,
  type ServiceDef,
  type ServiceOptions,
  type StartFrom,
} from './service/define.ts'
export { isHandlerName, isServiceName } from './service/service-names.ts'
export { type Redacted, type Redactor, redactorOf } from './redaction/redact.ts'
export type { OperationRecord, Outcome } from './run/record.ts'
export { type RunMessage, runMessage } from './run/run-message.ts'
export { sendRunMessage } from './run/send.ts'
export { isOfNamespace, type MessagePlace, type Names, names } from './topology/names.ts'
export {
  type PlannedConsumer,
  type PlannedStream,
  type PlannedTopology,
  plannedTopology,
  type PlanOptions,
} from './topology/planned.ts'
export {
  type BootStream,
  provisionAudit,
  provisionControls,
  provisionNotifications,
  provisionOperations,
} from './topology/provision.ts'
export { auditStream, meshStream } from './topology/system.ts'
export {
  type ConsumerFloor,
  consumerFloor,
  EPOCH,
  epochOf,
  type StreamState,
  streamState,
} from './topology/stream-state.ts'
export { deniedSubject } from './topology/api-errors.ts'
export { stream, type StreamDef, type StreamOptions } from './topology/stream.ts'
export { eventSubjects } from './topology/consumer-config.ts'
export { type EventDurable, eventDurablesOf } from './topology/event-durables.ts'
export { durablesOf, type HandlerDurable } from './topology/handler-durables.ts'
export { allows, askUserInfo, type UserInfo } from './topology/own-rights.ts'
export { contains } from './topology/subject-overlap.ts'
