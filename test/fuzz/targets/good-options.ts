import { command, event, request, stream, untilBack } from '@malha/mesh'
import { begins, sagaTimeout, send, step, timedOut } from '@malha/patterns'

// Declarations and options as they should be, to be spoiled.

export const anything = {
  '~standard': { version: 1, vendor: 'fuzz', validate: (value: unknown) => ({ value }) },
} as const
export const key = (data: unknown): string => (data as { key: string } | undefined)?.key ?? 'none'
export const jobs = stream('JOBS', { subjects: ['job.>'] })
export const made = event('job.made', { stream: jobs, schema: anything, key })
export const undo = command('job.undo', { stream: jobs, schema: anything, key })
export const quote = request('price.quote', { schema: anything, reply: anything })
export const handle = (): void => undefined
export const late = sagaTimeout('job.late', jobs)

export const HANDLER = {
  startFrom: 'all' as const,
  retry: untilBack,
  concurrency: 4,
  rateLimit: { perSecond: 3, burst: 2 },
  timeoutMs: 100,
  ackWaitMs: 1000,
  effects: 'once' as const,
  inbox: { keepMs: 10_000 },
}
export const MESH = {
  servers: 'nats://a:4222',
  name: 'n',
  namespace: 'staging',
  credsFile: '/c',
  tls: { caFile: '/a' },
  inboxPrefix: '_INBOX',
  topology: 'verify' as const,
  replicas: 1 as const,
  spool: { file: '/s' },
  user: 'u',
  password: 'p',
}
export const VARIABLES = [
  'NATS_URL',
  'MALHA_NAME',
  'MALHA_NAMESPACE',
  'NATS_USER',
  'NATS_PASSWORD',
  'MALHA_REPLICAS',
  'MALHA_SPOOL_FILE',
  'MALHA_SPOOL_MAX_BYTES',
  'NATS_INBOX_PREFIX',
  'NATS_TLS_CERT_FILE',
] as const
export const PUBLISH = { id: 'i', once: false, correlationId: 'c', causationId: 'd', headers: { 'x-a': 'b' } }
const log = { debug: handle, info: handle, warn: handle, error: handle }
export const NUMBERS = {
  batchRows: 1,
  batchBytes: 2048,
  flushMs: 1,
  paceMs: 1,
  pollMs: 10,
  leaseMs: 1000,
  stopMs: 1,
  holder: 'h',
  replicas: 1,
  log,
}
export const RELAY = { schema: 'malha', inFlight: 1, pollMs: 10, keepMs: 1, publishMs: 100, sessionMs: 1000, stopMs: 1 }
export const STEPS = {
  began: begins(made, () => ({ state: 1 })),
  done: step(undo, () => ({ state: 2 }), { undo: () => send(undo, {}) }),
  late: timedOut('late', () => ({ state: 3 })),
}
