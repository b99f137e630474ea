/** Users that are people at a terminal, and so no workloads. */
export const PEOPLE = ['viewer', 'operator'] as const

/** May do everything in the account: recover from a disaster, publish by hand, remove what nobody needs any more. */
export const ADMIN = 'admin'

/** Of the system account: administers the server. */
export const SYSTEM = 'sys'
