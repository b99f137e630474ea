/** Subjects that belong together, and what they are for. */
export type Rights = { readonly what: string; readonly subjects: readonly string[] }

/** What a user of NATS may do. */
export type Permissions = {
  readonly publish: readonly Rights[]
  /** Taken away again from what `publish` gives: wildcards of NATS stand for whole tokens, so some give too much. */
  readonly denyPublish: readonly Rights[]
  readonly subscribe: readonly Rights[]
  /** Answers to what it is asked, on subjects it could not publish on otherwise. */
  readonly allowResponses?: { readonly max: number; readonly expires: string }
}

/** Where a user's answers arrive, and nobody else's: `NATS_INBOX_PREFIX` of its process. */
export const inboxPrefixOf = (user: string): string => `_INBOX_${user}`

/** Rights on `$JS.API`, each below it. */
export const api = (...calls: readonly string[]): string[] => calls.map((call) => `$JS.API.${call}`)

/** Each subject once, groups that are left empty not at all. */
export function tidy(groups: readonly Rights[]): Rights[] {
  const seen = new Set<string>()
  return groups
    .map(({ what, subjects }) => ({
      what,
      subjects: subjects.filter((subject) => !seen.has(subject) && seen.add(subject)),
    }))
    .filter(({ subjects }) => subjects.length > 0)
}
