import type { ListedHandler } from '@malha/operations'

/** `failing`: somebody should look. `behind`: it has work and does it. */
export type Standing = { state: 'failing' | 'paused' | 'behind' | 'runs'; reasons: string[] }

/** How it stood before: what it had before it then, and its open letters. */
export type Before = { lag: number; open: number; agoMs: number }

/** From when on something is worth a word; the page says them. Chosen, not measured. */
export const BOUNDS = {
  /** An event that is younger is on its way, ms. */
  oldMs: 10_000,
  /** Growth that is more than the ebb and flow of a queue: so many, and such a share. */
  grewBy: 10,
  grewShare: 0.1,
  /** Against what stood there so long ago, ms. */
  withinMs: 60_000,
} as const

/** The one thing to know of a handler, and why. Pure. */
export function standingOf(handler: ListedHandler, open: number, before: Before | undefined): Standing {
  const { paused, instances, breaker, fault, lag } = handler
  if (paused) return { state: 'paused', reasons: [`paused by ${paused.who}: ${paused.reason}`] }
  const reasons: string[] = []
  if (instances.length === 0) reasons.push('no instance answers')
  if (breaker && breaker.state !== 'closed') reasons.push(`its breaker is ${breaker.state}`)
  if (fault) reasons.push(fault)
  const leaked = instances.reduce((sum, one) => sum + one.leaked, 0)
  if (leaked > 0) reasons.push(`${leaked} calls never returned`)
  if (before && open > before.open)
    reasons.push(`dead letters grow: ${open - before.open} more in ${seconds(before.agoMs)}`)
  const grown = before && lag ? lag.messages - before.lag : 0
  if (lag && lag.oldestMs > BOUNDS.oldMs && grown >= Math.max(BOUNDS.grewBy, before!.lag * BOUNDS.grewShare))
    reasons.push(`it falls behind: ${grown} more in ${seconds(before!.agoMs)}`)
  if (reasons.length > 0) return { state: 'failing', reasons }
  if (lag && lag.messages > 0 && lag.oldestMs > BOUNDS.oldMs) return { state: 'behind', reasons: [] }
  return { state: 'runs', reasons: [] }
}

const seconds = (ms: number): string => `${Math.max(1, Math.round(ms / 1000))} s`
