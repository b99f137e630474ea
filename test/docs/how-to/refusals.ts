import type { Logger } from '@malha/mesh'

/** A logger that keeps what a mesh warns of: what it is refused is among it. */
export function keepRefusals(): { refusals: object[]; logger: Logger } {
  const refusals: object[] = []
  const keep = (fields: object): void => void refusals.push(fields)
  return { refusals, logger: { debug() {}, info() {}, warn: keep, error: keep } }
}
