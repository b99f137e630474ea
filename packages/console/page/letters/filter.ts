/** What letters are chosen by, in addresses and in the API alike. */
export const FILTERS = ['service', 'handler', 'code', 'group', 'key', 'id', 'since', 'until'] as const

export const STATES = ['open', 'redriven', 'resolved', 'late', 'discarded'] as const

export type Filter = Partial<Record<(typeof FILTERS)[number], string>>

export const LABELS: Readonly<Record<(typeof FILTERS)[number], string>> = {
  service: 'Service',
  handler: 'Handler',
  code: 'Code',
  group: 'Group',
  key: 'Key',
  id: 'Event id',
  since: 'Written since',
  until: 'Written before',
}
