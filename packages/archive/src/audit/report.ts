/** A count and the first few sequences it counts, for people to look at. */
export type Finding = { readonly count: number; readonly seqs: readonly number[] }

/** What the audit found for one life of one stream. */
export type StreamAudit = {
  readonly stream: string
  readonly epoch: number
  /** Whether this life is the present one; an earlier one can only be compared with what was written down of it. */
  readonly current: boolean
  /** Sequences the stream holds now, at the moment the audit began; undefined when it holds none. */
  readonly range: { readonly first: number; readonly last: number } | undefined
  /** Messages compared with the table, content included. */
  readonly compared: number
  /** Events in the table, each counted once. */
  readonly archived: number
  /** In the stream, or known to have been in it, and neither in the table nor in its gaps and dead letters. */
  readonly missing: Finding
  /** In the table, no longer in the stream: what retention removes, and what someone deleted. Expected. */
  readonly deleted: number
  /** Rows beyond the first of a sequence that are not merged yet. */
  readonly duplicates: Finding
  /** Same sequence, but another id, subject, time or payload than the stream has, or than another row. */
  readonly conflicts: Finding
  /** In the table under numbers the stream has not reached: it came back from a crash without its last events. */
  readonly ahead: number
  /** Kept in `archive.dead_letters`. */
  readonly deadLetters: number
  /** Events that left the stream before they were archived: the sum of the gaps with reason `expired`. */
  readonly lost: number
  readonly gaps: readonly GapRow[]
  /** How many of the missing come behind the last archived event and may still be on their way. */
  readonly lag: number
  /** Nothing missing, lost, double, contradictory or refused. */
  readonly clean: boolean
}

export type GapRow = {
  readonly first: number
  readonly last: number
  readonly reason: string
  readonly detectedAt: string
}

export type ArchiveAudit = {
  readonly clean: boolean
  readonly startedAt: string
  readonly durationMs: number
  readonly streams: readonly StreamAudit[]
  readonly totals: Totals
}

export type Totals = {
  readonly compared: number
  readonly archived: number
  readonly missing: number
  readonly deleted: number
  readonly duplicates: number
  readonly conflicts: number
  readonly ahead: number
  readonly deadLetters: number
  readonly lost: number
  readonly lag: number
}

/** Collects a count with samples. */
export class FindingBuilder {
  #count = 0
  readonly #seqs: number[] = []

  add(seq: number): void {
    this.#count += 1
    if (this.#seqs.length < SAMPLES) this.#seqs.push(seq)
  }

  addRange(first: number, last: number): void {
    for (let seq = first; seq <= last && this.#seqs.length < SAMPLES; seq += 1) this.#seqs.push(seq)
    this.#count += Math.max(0, last - first + 1)
  }

  build(): Finding {
    return { count: this.#count, seqs: this.#seqs }
  }
}

const SAMPLES = 20

export function summarise(streams: readonly StreamAudit[]): Totals {
  const sum = (of: (audit: StreamAudit) => number): number => streams.reduce((total, audit) => total + of(audit), 0)
  return {
    compared: sum((audit) => audit.compared),
    archived: sum((audit) => audit.archived),
    missing: sum((audit) => audit.missing.count),
    deleted: sum((audit) => audit.deleted),
    duplicates: sum((audit) => audit.duplicates.count),
    conflicts: sum((audit) => audit.conflicts.count),
    ahead: sum((audit) => audit.ahead),
    deadLetters: sum((audit) => audit.deadLetters),
    lost: sum((audit) => audit.lost),
    lag: sum((audit) => audit.lag),
  }
}

type Faults = Pick<StreamAudit, 'missing' | 'duplicates' | 'conflicts' | 'ahead' | 'deadLetters' | 'lost'>

export function isClean(audit: Faults): boolean {
  const faults = audit.missing.count + audit.duplicates.count + audit.conflicts.count
  return faults + audit.ahead + audit.deadLetters + audit.lost === 0
}
