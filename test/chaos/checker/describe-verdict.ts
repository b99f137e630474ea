import type { Verdict } from './check-saved.ts'

/** Lines of evidence that people are shown of one violation; `--json` has them all. */
const SHOWN_LINES = 12

/** A verdict in words: each rule with what it found, and under each violation the lines that show it. */
export function describeVerdict({ rules, messages, torn }: Verdict): string {
  const out = [`${messages} messages`]
  for (const { rule, claim, count, violations } of rules) {
    out.push(`${count === 0 ? 'holds ' : 'BROKEN'} ${rule}: ${claim}`)
    for (const { says, lines } of violations) {
      out.push(`  ${says}`)
      for (const { file, line, text } of lines.slice(0, SHOWN_LINES)) out.push(`    ${file}:${line} ${text}`)
      if (lines.length > SHOWN_LINES) out.push(`    and ${lines.length - SHOWN_LINES} more lines`)
    }
    if (count > violations.length) out.push(`  and ${count - violations.length} more`)
  }
  if (torn.length > 0) out.push(`cut by a kill and not read: ${torn.join(', ')}`)
  return `${out.join('\n')}\n`
}
