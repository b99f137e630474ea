import type { ReplaySelection } from '../../src/api/schemas/replays.ts'
import { pick } from '../parts/query.ts'
import type { Limits } from '../runs/limit-fields.tsx'

/** What a replay is chosen by, in the address and in the form alike. */
export const FIELDS = [
  'service',
  'handler',
  'stream',
  'source',
  'epoch',
  'fromSeq',
  'toSeq',
  'since',
  'until',
  'type',
  'key',
  'asNew',
] as const

export type ReplayValues = Partial<Record<(typeof FIELDS)[number], string>>

const NUMBERS = { fromSeq: 'From sequence', toSeq: 'Up to sequence', epoch: 'Epoch' } as const
const TIMES = { since: 'Stored since', until: 'Stored before' } as const

/** The values as the API takes them, or what is wrong with them. */
export function selectionOf(given: ReplayValues): { selection?: ReplaySelection; faults: string[] } {
  const trimmed = Object.entries(given).map(([name, text]) => [name, text.trim()] as const)
  const values: ReplayValues = Object.fromEntries(trimmed.filter(([, text]) => text !== ''))
  const { service = '', handler = '', stream, type, key, source, asNew } = values
  const faults = handler === '' ? ['Choose a handler.'] : []
  const numbers: Partial<Record<keyof typeof NUMBERS, number>> = {}
  for (const [name, label] of entriesOf(NUMBERS)) {
    const text = name === 'epoch' && source !== 'archive' ? undefined : values[name]
    if (text === undefined) continue
    if (/^[1-9]\d{0,14}$/.test(text)) numbers[name] = Number(text)
    else faults.push(`${label}: a whole number from 1 on.`)
  }
  const times: Partial<Record<keyof typeof TIMES, string>> = {}
  for (const [name, label] of entriesOf(TIMES)) {
    const text = values[name]
    if (text === undefined) continue
    if (Number.isNaN(Date.parse(text))) faults.push(`${label}: a time such as 2026-11-21T10:00:00Z.`)
    else times[name] = new Date(text).toISOString()
  }
  if (faults.length > 0) return { faults }
  const chosen = { ...(stream && { stream }), ...(type && { type }), ...(key && { key }) }
  const how = { ...(source === 'archive' && { archive: true }), ...(asNew && { asNew: true }) }
  return { selection: { service, handler, ...chosen, ...numbers, ...times, ...how }, faults }
}

const entriesOf = <Name extends string>(of: Readonly<Record<Name, string>>): [Name, string][] =>
  Object.entries(of) as [Name, string][]

const LIMITS: Limits = { perSecond: 100, atOnce: 1000, mostFailures: 100 }

/** Those of the address, where they are numbers. */
export function limitsOf(query: Readonly<Record<string, string>>): Limits {
  const given = Object.entries(pick(query, ['perSecond', 'atOnce', 'mostFailures']))
  const numbers = given.flatMap(([name, text = '']) => (/^[1-9]\d{0,6}$/.test(text) ? [[name, Number(text)]] : []))
  return { ...LIMITS, ...(Object.fromEntries(numbers) as object) }
}
