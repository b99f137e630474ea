import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@malha/testing'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newToken } from '../../src/index.ts'
import { ask } from '../asking.ts'
import { expectAccessible, expectToFit } from './accessible.ts'
import { HOSTILE, openScene, type Scene } from './scene.ts'

const FAILING = 12
let scene: Scene

beforeAll(async () => {
  scene = await openScene({ failing: FAILING })
})

afterAll(async () => await scene[Symbol.asyncDispose]())

const rowsOf = (page: Page) => page.locator('tbody tr')

async function expectRows(page: Page, count: number): Promise<void> {
  await eventually(async () => expect(await rowsOf(page).count()).toBe(count))
}

describe('dead letters in a browser', () => {
  it('are looked through by keyboard alone, and every state has its address', async () => {
    await using page = await scene.open('/letters?state=open')
    await page.getByRole('heading', { name: 'Dead letters' }).waitFor()
    await page.getByText('city <n> is unknown').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.press('Tab')
    await page.keyboard.type('bill')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'Remove the filter Handler' }).waitFor()
    expect(page.url()).toContain('handler=bill')
    await page.locator('h1').click()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByText('Letters of this group').waitFor()
    await expectRows(page, FAILING)
    const address = page.url()
    expect(address).toContain('group=')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByText('1 letter selected').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^Letter \d+/ }).waitFor()
    // Whoever is given the address sees the same.
    await using other = await scene.open(address)
    await other.getByText('Letters of this group').waitFor()
    await expectRows(other, FAILING)
  })

  it('are shown whole: payload, headers, stack, attempts; text of others stays text', async () => {
    await using page = await scene.open('/letters')
    await page.getByText('U+202E').first().waitFor()
    await page.goto(`${scene.console.url}/letters/1`)
    await page.getByRole('heading', { name: 'What was done with it' }).waitFor()
    const shown = await page.locator('main').innerText()
    for (const part of ['<img src=x onerror=', '<script>', 'U+001B', 'U+202E', 'U+2028', '{{7*7}}', 'ce-partitionkey'])
      expect(shown).toContain(part)
    expect(shown).not.toContain('\u202E')
    expect(await page.title()).toBe('Letter 1 · Malha')
    expect(await page.locator('main img, main script').count()).toBe(0)
    for (const path of [
      '/letters',
      `/letters?key=${encodeURIComponent(HOSTILE)}`,
      `/redrive?key=${encodeURIComponent(HOSTILE)}`,
      `/nothing/${encodeURIComponent('<b>')}`,
    ]) {
      await page.goto(scene.console.url + path)
      await page.locator('h1').waitFor()
      expect(await page.title()).not.toBe('taken')
    }
    await page.goto(`${scene.console.url}/letters/2`)
    await page.getByText('Only its beginning is shown').waitFor()
    await page.goto(`${scene.console.url}/letters/3`)
    await page.getByText('00 ff 3c 62 3e').waitFor()
  })

  it('a decision on what somebody else has dealt with meanwhile is refused in plain words', async () => {
    await using page = await scene.open('/letters?state=open')
    const key = 'o-1'
    await page.goto(`${scene.console.url}/letters?key=${key}`)
    await rowsOf(page).getByRole('link').first().click()
    await page.getByRole('button', { name: 'Discard…' }).click()
    await page.getByLabel('Reason').fill('closed')
    const seq = Number(/\/letters\/(\d+)/.exec(page.url())![1])
    expect((await ask(scene.console, `/letters/${seq}/discard`, { body: { reason: 'mine' } })).status).toBe(200)
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
    await page.getByText('OPERATIONS_LETTER_MOVED').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('h1').getByText('discarded').waitFor()
    await page.getByRole('button', { name: 'Reopen…' }).click()
    await page.getByLabel('Reason').fill('not closed')
    await page.getByRole('dialog').getByRole('button', { name: 'Reopen' }).click()
    await page.locator('h1').getByText('open').waitFor()
    await page.locator('.history').getByText('not closed').waitFor()
  })

  it('one, a selection and a group are sent again: what would be is shown first, and how it goes', async () => {
    await using _ = await scene.mend()
    await using page = await scene.open('/letters?state=open&handler=bill')
    await page.getByLabel('Select letter 4', { exact: true }).check()
    await page.getByLabel('Select letter 5', { exact: true }).check()
    await page.getByRole('region', { name: 'Selected letters' }).getByRole('link', { name: 'Redrive…' }).click()
    await page.getByText('2 letters', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Send 2 letters again' }).click()
    await page.locator('h1').getByText('done').waitFor()
    await page.getByRole('link', { name: 'Dead letters' }).first().click()

    await page
      .getByRole('link', { name: /^Redrive the group/ })
      .first()
      .click()
    await page.getByText(`${FAILING - 2} letters`, { exact: true }).waitFor()
    await page.getByLabel('Messages a second').fill('1')
    await page.getByLabel('Reason').fill('known now')
    await page.getByRole('button', { name: /^Send/ }).click()
    await page.locator('h1').getByText('running').waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('h1').getByText('paused').waitFor()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.locator('h1').getByText('running').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('h1').getByText('cancelled').waitFor()
    await page.getByRole('link', { name: 'Runs' }).first().click()
    await expectRows(page, 2)
    await page.getByRole('link', { name: 'Audit' }).click()
    await page.getByText('run.cancel').waitFor()
    expect(await rowsOf(page).first().innerText()).toContain('on-call')
  })
})

describe('handlers in a browser', () => {
  it('are shown by service with what they hear, and paused and resumed in all instances', async () => {
    await using _ = await scene.mend()
    await using page = await scene.open('/handlers')
    await page.getByRole('heading', { name: 'shop' }).waitFor()
    await page.getByText('order.placed').waitFor()
    await page.getByRole('button', { name: 'Pause…' }).click()
    await page.getByLabel('How long').selectOption('for an hour')
    await page.getByLabel('Reason').fill('the printer is out')
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await page.getByText('the printer is out').waitFor()
    await page.locator('.badge.paused').waitFor()
    await eventually(async () => {
      const { handlers } = (await ask(scene.console, '/handlers')).body as { handlers: unknown }
      expect(handlers).toMatchObject([{ service: 'shop', handler: 'bill', paused: { who: 'on-call' } }])
    })
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.locator('.badge.ok').waitFor()
  })
})

describe('a journey in a browser', () => {
  it('says where a message is and why, and every hop', async () => {
    await using page = await scene.open('/letters/3')
    await page.getByRole('link', { name: 'bytes-1' }).click()
    await page
      .getByText(/is dead letter 3 of shop\/bill/)
      .first()
      .waitFor()
    expect(page.url()).toContain('/journey?of=bytes-1')
    await page.locator('.step.event').getByText('order.placed').first().waitFor()
    await page.getByRole('textbox', { name: /^Message id/ }).fill('nobody-knows')
    await page.keyboard.press('Enter')
    await page.locator('.headline').getByText('nobody-knows').waitFor()
  })
})

describe('the archive in a browser', () => {
  it('events are found, opened and taken along; without ClickHouse the page says so, and the rest goes on', async () => {
    await using page = await scene.open('/events?type=order.placed&stream=ORDERS')
    await eventually(async () => {
      await page.reload()
      await page.getByRole('heading', { name: 'Found' }).waitFor()
      expect(await rowsOf(page).count()).toBe(FAILING + 3)
    })
    await page.getByLabel('Key', { exact: true }).fill('o-7')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'Remove the filter Key' }).waitFor()
    await rowsOf(page).getByRole('link').first().click()
    await page.getByText('"city 7 is unknown"').first().waitFor()
    expect(page.url()).toMatch(/key=o-7.*open=ORDERS/)
    const csv = await (await fetch(`${scene.console.url}/api/events/export.csv?stream=ORDERS`)).text()
    expect(csv).toContain('publishedAt,type,id')
    const json = await (await fetch(`${scene.console.url}/api/events/export.json?key=o-7&stream=ORDERS`)).json()
    expect(json).toMatchObject([{ type: 'order.placed', stream: 'ORDERS' }])

    await scene.clickhouse!.stop()
    await page.goto(`${scene.console.url}/events`)
    await page.getByText('ARCHIVE_UNREACHABLE').waitFor()
    await page.getByRole('link', { name: 'Dead letters' }).first().click()
    await page.getByText('Why they failed').waitFor()
  })
})

describe('a console that wants a token', () => {
  it('is signed in to, says who one is, and shows where one wanted to go', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'console-'))
    try {
      const { token, line } = newToken('eva', 'viewer')
      const tokenFile = join(folder, 'tokens')
      await writeFile(tokenFile, line)
      await using console = await scene.startConsole({ port: 0, tokenFile })
      await using page = await scene.open(`${console.url}/letters/3`)
      await page.getByLabel('Token').fill('wrong')
      await page.keyboard.press('Enter')
      await page.getByText('this token is not known here').waitFor()
      await expectAccessible(page, 'sign in')
      await page.getByLabel('Token').fill(token)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: /^Letter 3/ }).waitFor()
      await page.getByText('eva').waitFor()
      // A viewer is told why a button does nothing.
      const discard = page.getByRole('button', { name: 'Discard…' })
      expect(await discard.getAttribute('aria-disabled')).toBe('true')
      expect(await discard.getAttribute('title')).toContain('You are viewer')
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Token').waitFor()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('every page', () => {
  const PAGES = [
    '/letters?state=open',
    '/letters/1',
    '/redrive?service=shop',
    '/runs',
    '/handlers',
    '/journey?of=bytes-1',
    '/events',
    '/audit',
    '/nothing',
  ]

  const eachPage = async (page: Page, look: (where: string) => Promise<void>): Promise<void> => {
    const [{ id }] = (await ask(scene.console, '/runs')).body['runs'] as [{ id: string }]
    for (const path of [...PAGES, `/runs/${id}`]) {
      await page.goto(scene.console.url + path)
      await page.locator('main h1').waitFor()
      await page.locator('.loading').waitFor({ state: 'detached' })
      await look(path)
    }
  }

  it.each(['light', 'dark'] as const)('keeps nobody out, in %s', async (colorScheme) => {
    await using page = await scene.open('/', { colorScheme })
    await eachPage(page, async (where) => await expectAccessible(page, where))
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keys' }).waitFor()
    await expectAccessible(page, 'keys')
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
