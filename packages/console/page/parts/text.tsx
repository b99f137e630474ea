import type { ComponentChildren, JSX } from 'preact'

/** Controls, and what turns, joins or hides what is around it (Unicode general categories Cc, Cf, Zl, Zp). */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const SPLIT = /([\p{Cc}\p{Cf}\p{Zl}\p{Zp}])/u

/** Text of somebody else: what would act on its surroundings is shown as what it is. Line ends and tabs stay where `lines` says so. */
export function Text({ children, lines = false }: { children: string; lines?: boolean }): JSX.Element {
  if (!ACTING.test(children)) return <bdi>{children}</bdi>
  const parts: ComponentChildren[] = children.split(SPLIT).map((part, at) => {
    const isShown = at % 2 === 0 || (lines && (part === '\n' || part === '\t'))
    if (isShown) return part
    return <span class="acting">U+{part.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}</span>
  })
  return <bdi>{parts}</bdi>
}

/** The same, without the code before it that is shown elsewhere, on one line. */
export function Why({ code, reason }: { code: string; reason: string }): JSX.Element {
  const why = reason.startsWith(`${code}: `) ? reason.slice(code.length + 2) : reason
  return <Text>{why.replaceAll(/\s+/g, ' ').trim() || 'no reason given'}</Text>
}
