import type { Length } from './time.ts'

/** `page` wakes somebody; `ticket` waits until the morning. */
export type Severity = 'page' | 'ticket'

/**
 * Shows on made-up samples, one a minute, that an alert fires and is over again; promtool runs it. In the notation of promtool:
 * `1x70 0x50` is 71 samples of 1, then 51 of 0.
 */
export type Proof = {
  readonly series: Readonly<Record<string, string>>
  /** When it fires. */
  readonly fires: Length
  /** When it is over again, later than that. */
  readonly over: Length
  /** What it fires with, beside its severity; none of a sum over all. */
  readonly labels: Readonly<Record<string, string>>
  /** Samples that look alike under which it must stay silent; one set of series each. */
  readonly silent?: readonly Readonly<Record<string, string>>[]
}

export type Alert = {
  readonly alert: string
  /** PromQL. */
  readonly expr: string
  /** How long the expression must hold, already scaled. @default at once */
  readonly for?: string
  readonly severity: Severity
  /** One sentence with `{{ $labels.… }}`; no values, which differ between versions of Prometheus. */
  readonly summary: string
  /** What follows from it, and what to do first. */
  readonly description: string
  readonly proof: Proof
}

export type Recording = { readonly record: string; readonly expr: string }

export type RuleGroup = {
  /** Of its file, too. */
  readonly name: string
  /** How often its rules are evaluated in its proofs; those over days would take minutes. @default 1m */
  readonly provedEvery?: Length
  readonly recordings: readonly Recording[]
  readonly alerts: readonly Alert[]
}
