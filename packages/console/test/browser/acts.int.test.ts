import { eventually } from '@malha/testing'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../asking.ts'
import { expectAccessible, expectToFit } from './accessible.ts'
import { parcels } from './parcels.ts'
import { HOSTILE, openScene, type Scene } from './scene.ts'

const FAILING = 4
let scene: Scene

beforeAll(async () => {
  scene = await openScene({ failing: FAILING, hasArchive: false })
  const running = await scene.mesh.start(parcels())
  await eventually(async () => (await ask(scene.console, '/contracts/parcel.packed')).status === 200)
  await running.stop()
})

afterAll(async () => await scene[Symbol.asyncDispose]())

const totalOf = async (page: Page): Promise<string | null> =>
  await page.locator('[data-total]').getAttribute('data-total')

/** By keyboard, to the field of a part of the payload. */
async function tabTo(page: Page, pointer: string): Promise<void> {
  const MOST = 30
  for (let n = 0; n < MOST; n++) {
    await page.keyboard.press('Tab')
    if ((await page.locator(':focus').getAttribute('data-pointer')) === pointer) return
  }
  throw new Error(`${pointer} is not reached by ${MOST} tabs`)
}

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
    await page.waitForURL((url) => url.searchParams.get('reason') === 'bills were lost')
    // Whoever is given the address sees the same.
    await using other = await scene.open(page.url())
    await other.locator('[data-total]').waitFor()
    expect(await other.getByLabel('Messages a second').inputValue()).toBe('2')
    expect(await other.getByLabel('Reason').inputValue()).toBe('bills were lost')
    expect(await other.getByLabel('Up to sequence').inputValue()).toBe('99')
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
    expect(await page.getByRole('combobox', { name: /^From/ }).inputValue()).toBe('archive')
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

describe('an event that is sent by hand in a browser', () => {
  it('has a form of its schema, its faults at their fields, and is found in its stream', async () => {
    await using page = await scene.open('/send')
    await page.getByLabel('Type').selectOption('parcel.packed')
    await page.getByRole('group', { name: /^parcel\.packed/ }).waitFor()
    expect(page.url()).toContain('type=parcel.packed')
    await page.getByLabel('weight', { exact: true }).fill('heavy')
    await page.getByRole('button', { name: 'Add one to lines' }).click()
    await page.getByLabel('sku', { exact: true }).fill('A-1')
    await page.getByRole('button', { name: 'Send it' }).click()
    await page.getByRole('alert').getByText('OPERATIONS_PAYLOAD_REFUSED').waitFor()
    const faults: (readonly [label: string, fault: string])[] = [
      ['parcel', 'is missing'],
      ['weight', 'must be number'],
      ['size', 'is missing'],
      ['count', 'is missing'],
    ]
    for (const [label, fault] of faults) {
      const field = page.getByLabel(label, { exact: true })
      expect(await field.getAttribute('aria-invalid')).toBe('true')
      const described = page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`)
      expect(await described.innerText()).toContain(fault)
    }
    await expectAccessible(page, 'a form with faults')
    // Focus went to the first of them; the rest is filled in by keyboard alone.
    await eventually(async () =>
      expect(await page.locator(':focus').getAttribute('data-pointer')).toBe('/lines/0/count'),
    )
    await page.keyboard.type('3')
    await tabTo(page, '/parcel')
    await page.keyboard.type('p-1')
    await tabTo(page, '/weight')
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type('12')
    await page.getByLabel('size', { exact: true }).selectOption('small')
    await page.getByRole('combobox', { name: /^Which/ }).selectOption('by: post')
    await page.getByLabel('address', { exact: true }).fill('Rua 1')
    await page.getByLabel('note is null').check()
    await page.getByRole('button', { name: 'Check it' }).click()
    await page.getByText('It fits.').waitFor()
    await page.getByLabel('Reason').fill('ticket 4711')
    await page.getByRole('button', { name: 'Send it' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('It is stored').waitFor()
    const id = await page.locator('.facts a').innerText()
    const stored = await scene.stored('PARCELS')
    expect(stored).toMatchObject({
      id,
      data: {
        parcel: 'p-1',
        weight: 12,
        size: 'small',
        note: null,
        to: { by: 'post', address: 'Rua 1' },
        lines: [{ sku: 'A-1', count: 3 }],
      },
    })
    await page.getByRole('link', { name: 'See what becomes of it' }).click()
    await page.locator('.step.event').getByText('parcel.packed').waitFor()
    const { acts } = (await ask(scene.console, '/audit')).body as { acts: unknown[] }
    expect(acts[0]).toMatchObject({
      action: 'event.publish',
      who: 'on-call',
      reason: 'ticket 4711',
      target: id,
      outcome: 'done',
    })
  })

  it('is written as JSON, too, which says what is none, and what it would lose', async () => {
    await using page = await scene.open('/send?type=order.placed&as=json')
    const payload = page.getByLabel('Payload as JSON')
    for (const [text, fault] of [
      ['{"n":', 'no JSON'],
      ['{"n":9007199254740993}', 'too large to be sent as it is'],
      ['{"n":1,"why":"x"}', 'must be string'],
    ] as const) {
      await payload.fill(text)
      await page.getByRole('button', { name: 'Send it' }).click()
      await page.getByRole('alert').getByText(fault).waitFor()
    }
    await payload.fill('{"n":"hand","why":"x"}')
    await page.getByRole('button', { name: 'In fields' }).click()
    expect(await page.getByLabel('n', { exact: true }).inputValue()).toBe('hand')
    await page.getByLabel('Event id').fill('by-hand-1')
    for (const said of ['It is stored', 'It was there before']) {
      await page.getByRole('button', { name: 'Send it' }).click()
      await page.getByText(said).waitFor()
    }
  })

  it('is not sent where the console was not told that it may, nor by who may only look', async () => {
    await using off = await scene.startConsole({ port: 0, role: 'operator' })
    await using page = await scene.open(`${off.url}/send?type=order.placed`)
    await page.getByText('This console sends no events by hand.').waitFor()
    const body = { type: 'order.placed', data: { n: 'x', why: 'x' } }
    for (const path of ['/events', '/events/check'])
      expect(await ask(off, path, { body })).toMatchObject({ status: 403, body: { code: 'CONSOLE_SENDING_OFF' } })
    await using viewing = await scene.startConsole({ port: 0, role: 'viewer', sendsEvents: true })
    await page.goto(`${viewing.url}/send?type=order.placed`)
    const send = page.getByRole('button', { name: 'Send it' })
    expect(await send.getAttribute('aria-disabled')).toBe('true')
    expect(await send.getAttribute('title')).toContain('--role operator')
    expect(await ask(viewing, '/events', { body })).toMatchObject({
      status: 403,
      body: { code: 'CONSOLE_ROLE_LACKING' },
    })
    expect(await ask(viewing, '/events/check', { body })).toMatchObject({ status: 200, body: { seq: null } })
  })
})

describe('every page where something is done', () => {
  const PAGES = ['/replay?service=shop&handler=bill&counted=yes', '/send?type=parcel.packed']

  const eachPage = async (page: Page, look: (where: string) => Promise<void>): Promise<void> => {
    for (const path of PAGES) {
      await page.goto(scene.console.url + path)
      await page.locator('main h1').waitFor()
      await eventually(async () => (await page.locator('.loading').count()) === 0)
      await look(path)
    }
  }

  it('keeps nobody out, in light and in dark', async () => {
    // Colours that fade from one to the other would be measured in between.
    await using page = await scene.open('/', { colorScheme: 'light', reducedMotion: 'reduce' })
    await eachPage(page, async (where) => {
      await expectAccessible(page, where)
      await page.emulateMedia({ colorScheme: 'dark' })
      await expectAccessible(page, `${where} in dark`, ['color-contrast'])
      await page.emulateMedia({ colorScheme: 'light' })
    })
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
