import type { Target } from '../engine/target.ts'

export type TargetEntry = {
  /** Sources under test, as paths in the workspace: their coverage guides, and their texts are words. */
  readonly covers: readonly string[]
  /** Imports it: only what is loaded after coverage began is seen. */
  readonly load: () => Promise<Target>
  /** Of a hundred cases, how many are its: slow ones get fewer. */
  readonly share: number
  /** It has a defect on purpose, and runs only when it is named. */
  readonly isExample?: true
}

const MESH = 'packages/mesh/src'
const PATTERNS = 'packages/patterns/src'
const CENTER = 'packages/services/distribution-center/src'

export const targets: Readonly<Record<string, TargetEntry>> = {
  headers: {
    covers: [`${MESH}/consume/read-headers.ts`, `${MESH}/message/envelope.ts`],
    share: 12,
    load: async () => (await import('./headers.ts')).headers,
  },
  stored: {
    covers: [`${MESH}/read/stored-message.ts`, `${MESH}/message/envelope.ts`],
    share: 14,
    load: async () => (await import('./stored.ts')).stored,
  },
  envelope: {
    covers: [`${MESH}/message/envelope.ts`, `${MESH}/message/headers.ts`],
    share: 12,
    load: async () => (await import('./envelope.ts')).envelope,
  },
  subjects: {
    covers: [
      `${MESH}/message/key.ts`,
      `${MESH}/message/priority.ts`,
      `${MESH}/topology/names.ts`,
      `${MESH}/delay/slot.ts`,
      `${MESH}/consume/ack-subject.ts`,
      'packages/archive/src/message/stored-message.ts',
    ],
    share: 16,
    load: async () => (await import('./subjects.ts')).subjects,
  },
  letters: {
    covers: [`${MESH}/failure/dead-letter.ts`, `${MESH}/failure/spool-letter.ts`, `${MESH}/message/headers.ts`],
    share: 7,
    load: async () => (await import('./letters.ts')).letters,
  },
  records: {
    covers: [
      `${MESH}/consume/ordered/partition-record.ts`,
      `${MESH}/publish/spool/entry.ts`,
      `${MESH}/publish/prepared.ts`,
      'packages/outbox-postgres/src/relay/event-of.ts',
      `${PATTERNS}/store/records.ts`,
      `${PATTERNS}/saga/record.ts`,
    ],
    share: 7,
    load: async () => (await import('./records.ts')).records,
  },
  answers: {
    covers: [
      `${MESH}/publish/pub-ack.ts`,
      `${MESH}/request/read-answer.ts`,
      `${MESH}/request/wire.ts`,
      `${MESH}/request/payload.ts`,
      `${MESH}/request/request-envelope.ts`,
      `${MESH}/message/validate.ts`,
    ],
    share: 10,
    load: async () => (await import('./answers.ts')).answers,
  },
  options: {
    covers: [
      `${MESH}/topology/stream.ts`,
      `${MESH}/message/contract.ts`,
      `${MESH}/service/define.ts`,
      `${MESH}/service/batch.ts`,
      `${MESH}/request/contract.ts`,
      `${MESH}/request/reply.ts`,
      `${MESH}/lifecycle/options.ts`,
      `${MESH}/lifecycle/servers.ts`,
      `${MESH}/publish/outgoing.ts`,
      `${MESH}/delay/delay.ts`,
      `${MESH}/delay/recurrence.ts`,
      `${PATTERNS}/saga/saga.ts`,
      `${PATTERNS}/aggregate/aggregate.ts`,
      `${PATTERNS}/projection/projection.ts`,
    ],
    share: 6,
    load: async () => (await import('./options.ts')).options,
  },
  config: {
    covers: [
      `${MESH}/lifecycle/options.ts`,
      `${MESH}/lifecycle/servers.ts`,
      'packages/telemetry/src/options.ts',
      'packages/services/partner-client/src/settings.ts',
      'packages/services/partner-simulator/src/fault.ts',
      `${CENTER}/config.ts`,
    ],
    share: 3,
    load: async () => (await import('./config.ts')).config,
  },
  archive: {
    covers: ['packages/archive/src/message/row.ts', 'packages/archive/src/message/times.ts'],
    share: 11,
    load: async () => (await import('./archive.ts')).archive,
  },
  http: {
    covers: [
      `${CENTER}/http/app.ts`,
      `${CENTER}/http/routes.ts`,
      `${CENTER}/http/validate.ts`,
      `${CENTER}/http/problem.ts`,
      'packages/services/contracts/src/text.ts',
    ],
    share: 2,
    load: async () => (await import('./http.ts')).http,
  },
  planted: {
    covers: ['test/fuzz/targets/planted-decoder.ts'],
    share: 0,
    load: async () => (await import('./planted.ts')).planted,
    isExample: true,
  },
}
