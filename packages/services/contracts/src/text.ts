import { z } from 'zod'

/** Cc: C0, DEL and C1. Cf stays allowed: emoji are joined and right-to-left text is marked with such characters. */
const CONTROL = /\p{Cc}/u

/**
 * One line of human text in any script: 1 to `max` characters (Unicode code points, as JSON Schema counts them), not
 * blank, no control characters, no half of a surrogate pair. Kept as it was written.
 */
export function text(max: number): z.ZodType<string, string> {
  return z
    .string()
    .superRefine((value, ctx) => {
      for (const message of textFaults(value, max)) ctx.addIssue({ code: 'custom', message })
    })
    .meta({ minLength: 1, maxLength: max })
}

function textFaults(value: string, max: number): string[] {
  // A code point takes one or two UTF-16 units: only what is between is counted, and a megabyte is refused without that.
  const tooLong = value.length > max && (value.length > max * 2 || Array.from(value).length > max)
  if (tooLong) return [`at most ${max} characters`]
  const faults: string[] = []
  if (value.trim() === '') faults.push('must not be empty or blank')
  if (CONTROL.test(value)) faults.push('must not hold control characters (line breaks and tabs included)')
  if (!value.isWellFormed()) faults.push('must be well-formed Unicode: it holds half of a surrogate pair')
  return faults
}
