import { eventually } from '@malha/testing'
import type { Page } from 'playwright-core'

/** The page has all that it asked for. */
export async function untilLoaded(page: Page): Promise<void> {
  await page.locator('main h1').waitFor()
  await eventually(async () => (await page.locator('.loading').count()) === 0)
}
