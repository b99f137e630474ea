/** How urgent a command is beside others of its type. */
export type Priority = 'high' | 'normal' | 'low'

/** From most to least urgent. */
export const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low']

/**
 * How often each is started while all wait: of ten, six, three and one. So low is slow, but never starved.
 */
export const WEIGHTS: Readonly<Record<Priority, number>> = { high: 6, normal: 3, low: 1 }

/**
 * What stands behind the type in a subject: `invoice.issue._high`, `invoice.issue._high.3.c-1`; nothing for normal, so that
 * a command can be given priorities later. No token of a type holds a `_`.
 */
export const priorityToken = (priority: Priority): string => (priority === 'normal' ? '' : `._${priority}`)

/** What a subject (without the namespace) of a type says of its priority. */
export function priorityOf(type: string, subject: string): Priority {
  const token = subject.startsWith(`${type}._`) ? subject.slice(type.length + 2).split('.', 1)[0] : undefined
  return token === 'high' || token === 'low' ? token : 'normal'
}
