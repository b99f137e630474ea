import type { ProblemView } from '../../src/api/schemas/shared.ts'

/** What the API refused, with what to do about it. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly problem: ProblemView

  constructor(problem: ProblemView) {
    super(problem.detail)
    this.problem = problem
  }
}

/** Asks the API. @throws Refused */
export async function ask<T>(path: string, { signal, ...init }: RequestInit = {}): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/api${path}`, { ...init, signal: signal ?? null })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new Refused({ ...AWAY, detail: 'The console itself does not answer.' })
  }
  const text = await response.text()
  if (response.ok) return JSON.parse(text) as T
  throw new Refused(problemIn(text) ?? { ...AWAY, status: response.status, detail: `It answered ${response.status}.` })
}

/** Has the API change something. @throws Refused */
export async function act<T>(path: string, body?: unknown, method = 'POST'): Promise<T> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  return await ask<T>(path, { method, ...sent })
}

/** What to show of anything thrown. */
export function problemOf(error: unknown): ProblemView {
  return error instanceof Refused ? error.problem : { ...AWAY, detail: String(error) }
}

const AWAY: ProblemView = {
  type: 'about:blank',
  title: 'No answer',
  status: 0,
  code: 'NO_ANSWER',
  detail: '',
  fix: 'see that the console runs, and try again',
}

function problemIn(text: string): ProblemView | undefined {
  try {
    const found = JSON.parse(text) as ProblemView
    return typeof found.code === 'string' ? found : undefined
  } catch {
    return undefined
  }
}
