export {
  aggregate,
  type AggregateDef,
  type AggregateOptions,
  type EventContracts,
  type NewEvent,
  type PastEvent,
} from './aggregate/aggregate.ts'
export { type Decision, given } from './aggregate/given.ts'
export type { Loaded } from './aggregate/load.ts'
export {
  type Aggregates,
  type Executed,
  type ExecuteOptions,
  openAggregate,
  type OpenAggregateOptions,
} from './aggregate/open-aggregate.ts'
export { PatternsError, type PatternsErrorCode, patternsErrors } from './errors.ts'
export type { EventArchive, ForgottenEvent } from './projection/event-archive.ts'
export { type Appearance, projection, type ProjectionDef, type ProjectionOptions } from './projection/projection.ts'
export { type ProjectionReader, type ProjectionView, readProjection } from './projection/read-projection.ts'
export {
  confirmSwap,
  runProjection,
  type RunningProjection,
  type RunProjectionOptions,
  swapTo,
} from './projection/run-projection.ts'
export {
  type Entry,
  kvStores,
  type ProjectionStore,
  type ProjectionStores,
  type StoresOption,
} from './projection/store.ts'
export { openSaga, type OpenSagaOptions, type Saga } from './saga/open-saga.ts'
export type { SagaRecord } from './saga/record.ts'
export {
  begins,
  type BeginOptions,
  type Next,
  type Occasion,
  saga,
  type SagaDef,
  type SagaOptions,
  type SagaStep,
  sagaTimeout,
  type Send,
  send,
  step,
  type StepOptions,
  timedOut,
  type TimeoutData,
  undone,
} from './saga/saga.ts'
export { type StuckSaga, watchSagas, type WatchSagasOptions } from './saga/stuck.ts'
