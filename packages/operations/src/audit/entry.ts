import { auditStream, type Contract, event } from '@malha/mesh'

/** What survives JSON: states, names, numbers. Never a payload, never a secret. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain | undefined }

/**
 * `begun`: it is about to be done. Then one of `done`; `refused`: nothing was done, because what it was to change had changed, or
 * the server did not let it; `unknown`: nobody said whether it was done.
 */
export type AuditOutcome = 'begun' | 'done' | 'refused' | 'unknown'

/** What an entry of the stream `AUDIT` says: the payload of `audit.entry.written`. Format 1; docs/reference/wire.md. */
export type AuditEntry = {
  readonly v: 1
  /** Of the act. Both of its entries have it, as key and as correlation id. */
  readonly act: string
  /** `<what>.<verb>`: `letter.discard`, `run.pause`. */
  readonly action: string
  /** Who says that they do it. */
  readonly who: string
  /** From which host, and from which address as the server sees it. */
  readonly from: string
  /** What it is done to: the subject of a letter, the id of a run, `<service>.<handler>`. */
  readonly target: string
  /** What the act changes, as it was found. */
  readonly before: Plain
  /** The same as it is to be. */
  readonly after: Plain
  readonly reason: string | null
  /** When it began, RFC 3339, by the clock of who does it. */
  readonly at: string
  readonly outcome: AuditOutcome
  /** Why it was refused, or is not known. */
  readonly fault: string | null
}

/** `audit.entry.written`, keyed by its act. */
export const auditEntryWritten: Contract<AuditEntry> = event('audit.entry.written', {
  stream: auditStream,
  schema: { '~standard': { version: 1, vendor: 'malha', validate } },
  key: ({ act }) => act,
})

/** The entry in what somebody stored; undefined where it is none. */
export function entryIn(payload: Uint8Array): AuditEntry | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    return isEntry(value) ? value : undefined
  } catch {
    return undefined
  }
}

const TEXTS = ['act', 'action', 'who', 'from', 'target', 'at', 'outcome'] as const

function isEntry(value: unknown): value is AuditEntry {
  return faultsOf(value).length === 0
}

function faultsOf(value: unknown): { message: string; path?: string[] }[] {
  if (typeof value !== 'object' || value === null) return [{ message: 'expected an object' }]
  const entry = value as Record<string, unknown>
  return [
    ...(entry['v'] === 1 ? [] : [{ message: 'expected 1', path: ['v'] }]),
    ...TEXTS.filter((name) => typeof entry[name] !== 'string').map((name) => ({
      message: 'expected a string',
      path: [name],
    })),
  ]
}

function validate(value: unknown): { value: AuditEntry } | { issues: ReturnType<typeof faultsOf> } {
  return isEntry(value) ? { value } : { issues: faultsOf(value) }
}
