/** What services, and what is in them, may be called; as parts of subjects and of durables a name can be nothing else. */
import { isMatch } from '../given.ts'

export const isServiceName = (value: unknown): value is string => isMatch(value, /^[a-z][a-z0-9-]{0,47}$/)

/** Of a handler, or of a reply. */
export const isHandlerName = (value: unknown): value is string => isMatch(value, /^[A-Za-z][A-Za-z0-9-]{0,47}$/)
