import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Of the page: what is given to `evaluate` runs there. */
declare const document: { documentElement: { scrollWidth: number; clientWidth: number } }

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** Nothing on the page keeps anybody out, as far as axe can tell: WCAG 2.2 AA and its good practice. */
export async function expectAccessible(page: Page, where: string, rules: readonly string[] = RULES): Promise<void> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(
    async (asked) => {
      const { axe: here } = globalThis as unknown as { axe: typeof axe }
      const { violations } = await here.run(document as never, { runOnly: asked })
      return violations.map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(' | ')}`,
      )
    },
    [...rules],
  )
  expect({ where, found }).toEqual({ where, found: [] })
}

/** No part of it is wider than the screen. */
export async function expectToFit(page: Page, where: string): Promise<void> {
  const { wide, screen } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    return { wide: scrollWidth, screen: clientWidth }
  })
  expect({ where, isTooWide: wide > screen }).toEqual({ where, isTooWide: false })
}
