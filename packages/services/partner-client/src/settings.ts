import { z } from 'zod'

export type Env = Readonly<Record<string, string | undefined>>

/** The address of a partner's API. Credentials are refused in it: an address gets into logs and traces. */
export const partnerUrl: z.ZodType<string, string> = z
  .string('is not set; the http(s) URL of the partner')
  .superRefine((text, ctx) => {
    const url = URL.parse(text)
    const say = (message: string): void => ctx.addIssue({ code: 'custom', message })
    if (!url || !/^https?:$/.test(url.protocol)) return say('is no http(s) URL')
    if (url.username !== '' || url.password !== '') say('must not hold a user or a password')
    if (url.search !== '' || url.hash !== '') say('must not have a query or a fragment')
  })

/** Milliseconds a whole call to a partner may take. */
export const partnerTimeoutMs: z.ZodType<number, string | undefined> = z
  .string()
  .default('10000')
  .transform(Number)
  .refine((ms) => Number.isInteger(ms) && ms >= 100 && ms <= 50_000, 'takes whole milliseconds, 100 to 50000')

/**
 * Reads variables of the environment; an empty one counts as unset.
 * @throws Error with every fault, one line each; no value is repeated
 */
export function readEnv<T>(schema: z.ZodType<T>, env: Env): T {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const read = schema.safeParse(set)
  if (read.success) return read.data
  throw new Error(read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('\n'))
}

/**
 * Runs every reader, so that one start tells all that is wrong.
 * @throws Error with what all of them threw
 */
export function readAll<T extends object>(readers: { readonly [K in keyof T]: () => T[K] }): T {
  const faults: string[] = []
  const read: Partial<T> = {}
  for (const name of Object.keys(readers) as (keyof T)[])
    try {
      read[name] = readers[name]()
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
    }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return read as T
}
