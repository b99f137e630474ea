export { PatternsError, type PatternsErrorCode, patternsErrors } from './errors.ts'
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
