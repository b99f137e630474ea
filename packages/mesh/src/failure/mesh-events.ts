import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Contract, event } from '../message/contract.ts'
import { meshStream } from '../topology/system.ts'
import type { BreakerState } from './breaker.ts'

/** One failed attempt of a handler. Read models and consoles read these; handlers of them leave none of their own. */
export type AttemptFailed = {
  /** `ce-id` of the message. */
  id: string
  type: string
  key?: string | undefined
  service: string
  handler: string
  /** 1 for the first. */
  attempt: number
  /** A code of the mesh, of the system (`ECONNREFUSED`), `HTTP_<status>`, or the class of the user's error. */
  code: string
  /** At most 500 characters. */
  message: string
  /** RFC 3339. */
  at: string
  /** RFC 3339; null when there is no next attempt. */
  nextAttemptAt: string | null
  outcome: 'retry' | 'dead-letter'
  /** Where the event stands; `stream` as the server names it. */
  stream: string
  epoch: number
  seq: number
}

/** A handler's breaker opened, tried, or closed. */
export type BreakerChanged = {
  service: string
  handler: string
  /** The connection name of the process. */
  instance: string
  state: BreakerState
  /** RFC 3339. */
  at: string
}

/** An event that a process took into its spool while the broker was away, and that was refused for good afterwards. */
export type PublishFailed = {
  /** `ce-id` of the event. */
  id: string
  type: string
  key?: string | undefined
  /** A code of the mesh. */
  code: string
  /** At most 500 characters. */
  message: string
  /** When it was published, RFC 3339: the publisher was told that it is queued. */
  queuedAt: string
  /** When it was given up, RFC 3339. */
  at: string
  /** The connection name of the process. */
  instance: string
  /** The stream it was meant for, as the server names it. */
  stream: string
  /** Subject of its dead letter. */
  letter: string
}

/** `mesh.attempt.failed`, keyed like the message it is about (by its id where that has no key). */
export const attemptFailed: Contract<AttemptFailed> = event('mesh.attempt.failed', {
  stream: meshStream,
  schema: shape<AttemptFailed>({
    id: 'string',
    type: 'string',
    service: 'string',
    handler: 'string',
    attempt: 'number',
    code: 'string',
    message: 'string',
    at: 'string',
    outcome: 'string',
    stream: 'string',
    epoch: 'number',
    seq: 'number',
  }),
  key: (record) => record.key ?? record.id,
})

/** `mesh.breaker.changed`. */
export const breakerChanged: Contract<BreakerChanged> = event('mesh.breaker.changed', {
  stream: meshStream,
  schema: shape<BreakerChanged>({
    service: 'string',
    handler: 'string',
    instance: 'string',
    state: 'string',
    at: 'string',
  }),
})

/** `mesh.publish.failed`, keyed like the event it is about (by its id where that has no key). */
export const publishFailed: Contract<PublishFailed> = event('mesh.publish.failed', {
  stream: meshStream,
  schema: shape<PublishFailed>({
    id: 'string',
    type: 'string',
    code: 'string',
    message: 'string',
    queuedAt: 'string',
    at: 'string',
    instance: 'string',
    stream: 'string',
    letter: 'string',
  }),
  key: (record) => record.key ?? record.id,
})

/** A Standard Schema for a flat record; the library itself depends on no schema library. */
function shape<T>(fields: Record<string, 'string' | 'number'>): StandardSchemaV1<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'malha',
      validate(value) {
        if (typeof value !== 'object' || value === null) return { issues: [{ message: 'expected an object' }] }
        const record = value as Record<string, unknown>
        const issues = Object.entries(fields)
          .filter(([name, type]) => typeof record[name] !== type)
          .map(([name, type]) => ({ message: `expected a ${type}`, path: [name] }))
        return issues.length > 0 ? { issues } : { value: value as T }
      },
    },
  }
}
