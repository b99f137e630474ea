export type CheckState = 'ok' | 'warn' | 'fail'

/** What a check found. */
export type Finding = {
  /** `servers`, `certificates`, `account`, `permissions`, `clock`, `streams`, `consumers`, `services`, `delays`, … */
  readonly check: string
  /** `warn`: worth a look; `fail`: something is broken, or about to be. */
  readonly state: CheckState
  /** What it is about: a server, a stream, a consumer, a service. */
  readonly about: string
  readonly what: string
  /** What to do; null where nothing needs to be done. */
  readonly fix: string | null
}

const RANK: readonly CheckState[] = ['ok', 'warn', 'fail']

/** The worst of them. */
export function worst(findings: readonly Finding[]): CheckState {
  return RANK[Math.max(0, ...findings.map(({ state }) => RANK.indexOf(state)))]!
}

/** Makers of the findings of one check. */
export type Findings = {
  readonly ok: (about: string, what: string, fix?: string) => Finding
  readonly warn: (about: string, what: string, fix: string) => Finding
  readonly fail: (about: string, what: string, fix: string) => Finding
}

export function findingsOf(check: string): Findings {
  const make = (state: CheckState) => (about: string, what: string, fix?: string) => ({
    check,
    state,
    about,
    what,
    fix: fix ?? null,
  })
  return { ok: make('ok'), warn: make('warn'), fail: make('fail') }
}
