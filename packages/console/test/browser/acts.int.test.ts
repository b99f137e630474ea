import { eventually } from '@malha/testing'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../asking.ts'
import { expectAccessible, expectToFit } from './accessible.ts'
import { HOSTILE, openScene, type Scene } from './scene.ts'

const FAILING = 4
let scene: Scene

beforeAll(async () => {
  scene = await openScene({ failing: FAILING, hasArchive: false })
})

afterAll(async () => await scene[Symbol.asyncDispose]())

const totalOf = async (page: Page): Promise<string | null> =>
  await page.locator('[data-total]').getAttribute('data-total')

describe('a replay in a browser', () => {
  it('is counted before it begins, every state of it has its address, and what was shown is sent', async () => {
    const running = await scene.mend()
    await using page = await scene.open('/handlers')
    await page.getByRole('link', { name: 'Replay to shop/bill' }).click()
    await page.getByRole('heading', { name: 'Replay' }).waitFor()
    await page.getByLabel('Up to sequence').fill('nonsense')
    await page.getByRole('textbox', { name: /^Key/ }).fill('o-2')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('Up to sequence: a whole number').waitFor()
    await page.getByLabel('Up to sequence').fill('99')
    await page.getByRole('textbox', { name: /^Key/ }).fill('')
    await page.getByRole('button', { name: 'Count them' }).click()
    await page.locator('[data-total]').waitFor()
    // The one of bytes does not fit its contract, and is of its type nevertheless.
    expect(await totalOf(page)).toBe(String(FAILING + 3))
    await page.getByLabel('Messages a second').fill('2')
    await page.getByLabel('Reason').fill('bills were lost')
    // Whoever is given the address sees the same.
    await using other = await scene.open(page.url())
    await other.locator('[data-total]').waitFor()
    expect(await other.getByLabel('Messages a second').inputValue()).toBe('2')
    expect(await other.getByLabel('Reason').inputValue()).toBe('bills were lost')
    expect(await other.getByLabel('Up to sequence').inputValue()).toBe('99')
    await expectAccessible(other, 'a replay that was counted')
    await page.getByRole('button', { name: `Send ${FAILING + 3} events again` }).click()
    await page.locator('h1').getByText('running').waitFor()
    await other.getByRole('button', { name: /^Send/ }).click()
    await other.getByText('OPERATIONS_RUN_UNDER_WAY').waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('h1').getByText('paused').waitFor()
    await page.getByText('order.placed in ORDERS').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('h1').getByText('cancelled').waitFor()
    await running.stop()
  })

  it('shows who may only look what would be sent, and says what is missing to send it', async () => {
    await using viewing = await scene.startConsole({ port: 0, role: 'viewer' })
    await using page = await scene.open(`${viewing.url}/replay?service=shop&handler=bill&key=o-1&counted=yes`)
    await page.getByText('1 event', { exact: true }).waitFor()
    const send = page.getByRole('button', { name: 'Send 1 event again' })
    expect(await send.getAttribute('aria-disabled')).toBe('true')
    expect(await send.getAttribute('title')).toContain('--role operator')
  })

  it('from the archive says so when that is away, and when the console knows none', async () => {
    const path = '/replay?service=shop&handler=bill&source=archive&counted=yes'
    await using page = await scene.open(path)
    await page.getByText('CONSOLE_NO_ARCHIVE').waitFor()
    await using away = await scene.startConsole({ port: 0, clickhouse: { url: 'http://127.0.0.1:9' } })
    await page.goto(away.url + path)
    await page.getByText('ARCHIVE_UNREACHABLE').waitFor()
  })

  it('shows text of others as text', async () => {
    await using page = await scene.open(
      `/replay?service=shop&handler=bill&key=${encodeURIComponent(HOSTILE)}&reason=${encodeURIComponent(HOSTILE)}`,
    )
    await page.getByRole('button', { name: 'Count them' }).click()
    await page.getByText('Nothing would be sent.').waitFor()
    await page.goto(`${scene.console.url}/replay?service=${encodeURIComponent(HOSTILE)}&handler=x&counted=yes`)
    await page.getByText('OPERATIONS_HANDLER_UNFIT').waitFor()
    expect(await page.title()).toBe('Replay · Malha')
  })
})

describe('every page where something is done', () => {
  const PAGES = ['/replay', '/replay?service=shop&handler=bill&counted=yes']

  const eachPage = async (page: Page, look: (where: string) => Promise<void>): Promise<void> => {
    for (const path of PAGES) {
      await page.goto(scene.console.url + path)
      await page.locator('main h1').waitFor()
      await eventually(async () => (await page.locator('.loading').count()) === 0)
      await look(path)
    }
  }

  it.each(['light', 'dark'] as const)('keeps nobody out, in %s', async (colorScheme) => {
    await using page = await scene.open('/', { colorScheme })
    await eachPage(page, async (where) => await expectAccessible(page, where))
  })

  it('fits on a phone, where fingers hit what they mean', async () => {
    await using page = await scene.open('/', { viewport: { width: 360, height: 740 } })
    await eachPage(page, async (where) => {
      await expectToFit(page, where)
      await expectAccessible(page, where, ['target-size'])
    })
  })

  it('ran no script of anybody else, had none refused, and failed nowhere', () => {
    expect(scene.faults).toEqual([])
  })
})
