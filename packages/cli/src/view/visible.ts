/**
 * Text of somebody else, safe to show on a terminal: what would move the cursor, change colours or turn the direction of
 * writing is shown as what it is. Line ends stay where `lines` says so.
 */
export function visible(text: string, { lines = false }: { lines?: boolean } = {}): string {
  return text
    .toWellFormed()
    .replaceAll(ACTING, (char) => (lines && (char === '\n' || char === '\t') ? char : `\\u{${codeOf(char)}}`))
}

/** The same on one line. */
export const inOneLine = (text: string): string => visible(text.replaceAll(/\s+/g, ' ').trim())

/** Controls of C0 and C1, and those that turn, join or hide what is around them (Unicode 16, general category Cf and Zl, Zp). */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const codeOf = (char: string): string => char.codePointAt(0)!.toString(16).toUpperCase()
