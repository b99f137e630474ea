/** What somebody may do, each what those before it may too. `viewer`: look. `operator`: act on letters, runs and handlers. `admin`: on all at once. */
export const roles = ['viewer', 'operator', 'admin'] as const

export type Role = (typeof roles)[number]

export const isRole = (text: unknown): text is Role => (roles as readonly unknown[]).includes(text)

export const allows = (has: Role, needed: Role): boolean => roles.indexOf(has) >= roles.indexOf(needed)
