import { eventually } from '@malha/testing'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../asking.ts'
import { shop } from '../shop.ts'
import { expectAccessible, expectToFit } from './accessible.ts'
import { openScene, type Scene } from './scene.ts'

let scene: Scene

beforeAll(async () => {
  scene = await openScene({ failing: 3, hasArchive: false })
})

afterAll(async () => await scene[Symbol.asyncDispose]())

describe('a letter that is corrected in a browser', () => {
  const editorOf = async (page: Page): Promise<Locator> => {
    const editor = page.getByRole('textbox', { name: 'Payload to be sent' })
    await editor.waitFor()
    return editor
  }

  /** The whole text anew, by keyboard. */
  const type = async (page: Page, text: string): Promise<void> => {
    await (await editorOf(page)).focus()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.insertText(text)
  }

  it('is edited beside the original, checked by its contract, kept with who and why, and sent so', async () => {
    const billed: string[] = []
    const seq = 4
    await using page = await scene.open(`/letters/${seq}`)
    await page.getByRole('button', { name: 'Edit…' }).click()
    const editor = await editorOf(page)
    expect(page.url()).toContain(`/letters/${seq}/edit`)
    expect(await editor.innerText()).toContain('"why": "city 1 is unknown"')
    await type(page, '{"n":"o-1"}')
    await page.getByRole('button', { name: 'Check it' }).click()
    await page.getByRole('alert').getByText('/why').waitFor()
    await page.getByRole('alert').getByText('is missing').waitFor()
    await type(page, '{"n":"o-2","why":"x"}')
    await page.getByRole('button', { name: 'Check it' }).click()
    await page.getByText('its key would be "o-2" in place of "o-1"').waitFor()
    // Typing in the editor is typing, whatever the keys do elsewhere.
    await type(page, '{\n  "n": "o-1",\n  "why": ""\n}')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.type('jkxg? known')
    await page.getByRole('button', { name: 'Check it' }).click()
    await page.getByText('It fits order.placed/1.').waitFor()
    await page.locator('.changes').getByText('/why').waitFor()
    await page.locator('.cm-deletedChunk').getByText('city 1 is unknown').waitFor()
    await expectAccessible(page, 'a correction', ['color-contrast'])
    await page.getByLabel('Reason').fill('the city was misspelt')
    const running = await scene.mesh.start(shop({ isMended: true, onBilled: (n, why) => billed.push(`${n} ${why}`) }))
    await page.getByRole('button', { name: 'Keep it and redrive' }).click()
    await page.locator('h1').getByText('done').waitFor()
    expect(billed).toContain('o-1 jkxg? known')
    await page.goto(`${scene.console.url}/letters/${seq}`)
    const done = page.locator('.history')
    await done.getByText('the city was misspelt').first().waitFor()
    await done.getByText('"jkxg? known"').waitFor()
    await done.getByText('resolved').waitFor()
    // The original is as it came.
    expect(await page.getByRole('region', { name: 'Payload' }).innerText()).toContain('city 1 is unknown')
    await running.stop()
  })

  it('is not, where somebody dealt with it meanwhile: that is said, and nothing is kept', async () => {
    const seq = 5
    await using page = await scene.open(`/letters/${seq}/edit`)
    await type(page, '{"n":"o-2","why":"mine"}')
    await page.getByLabel('Reason').fill('mine')
    await page.route('**/api/letters/5/correction', async (route) => {
      if (route.request().method() === 'POST')
        await ask(scene.console, '/letters/5/discard', { body: { reason: 'theirs' } })
      await route.continue()
    })
    await page.getByRole('button', { name: 'Keep it', exact: true }).click()
    await page.getByText('OPERATIONS_LETTER_MOVED').waitFor()
    await page.getByText('Somebody dealt with this letter since you opened it; it is discarded now.').waitFor()
    expect((await ask(scene.console, '/letters/5')).body).toMatchObject({ history: [{ kind: 'discarded' }] })
    await page.getByRole('button', { name: 'Begin again from what it is now' }).click()
    await page.getByText('only an open letter is corrected').waitFor()
    await ask(scene.console, '/letters/5/reopen', { body: { reason: 'theirs' } })
  })

  it('is not, where its payload is bytes: the page says why', async () => {
    await using page = await scene.open('/letters/3')
    const edit = page.getByRole('button', { name: 'Edit…' })
    expect(await edit.getAttribute('aria-disabled')).toBe('true')
    expect(await edit.getAttribute('title')).toContain('bytes that are no text')
    await page.goto(`${scene.console.url}/letters/3/edit`)
    await page.getByText('bytes that are no text, which no editor').waitFor()
  })

  it('shows what its text would do to the page as what it is', async () => {
    await using page = await scene.open('/letters/1/edit')
    const shown = await (await editorOf(page)).innerText()
    for (const part of ['<img src=x onerror=', '<script>', '{{7*7}}', 'U+202E', 'U+2028']) expect(shown).toContain(part)
    expect(shown).not.toContain('\u202E')
    expect(await page.title()).toBe('Edit letter 1 · Malha')
    // One of a megabyte is edited, too.
    await page.goto(`${scene.console.url}/letters/2/edit`)
    await (await editorOf(page)).getByText('no room for').waitFor()
  })

  it('is looked at by viewers, and neither checked nor kept by them', async () => {
    await using viewing = await scene.startConsole({ port: 0, role: 'viewer' })
    await using page = await scene.open(`${viewing.url}/letters/6/edit`)
    await type(page, '{"n":"o-3","why":"mine"}')
    for (const name of ['Check it', 'Keep it'])
      expect(await page.getByRole('button', { name, exact: true }).getAttribute('aria-disabled')).toBe('true')
    const body = { payload: '{"n":"o-3","why":"mine"}', reason: 'x' }
    const refused = { status: 403, body: { code: 'CONSOLE_ROLE_LACKING' } }
    expect(await ask(viewing, '/letters/6/correction', { body })).toMatchObject(refused)
    expect(await ask(viewing, '/letters/6/correction/check', { body: { payload: body.payload } })).toMatchObject(
      refused,
    )
  })

  it('keeps nobody out, in dark as in light, and fits on a phone', async () => {
    await using page = await scene.open('/letters/6/edit', {
      viewport: { width: 360, height: 740 },
      reducedMotion: 'reduce',
    })
    await type(page, '{\n  "n": "o-3",\n  "why": "mine"\n}')
    await page.getByRole('button', { name: 'Undo this change' }).waitFor()
    await expectToFit(page, 'an edit')
    await expectAccessible(page, 'an edit')
    await expectAccessible(page, 'an edit, by finger', ['target-size'])
    await page.emulateMedia({ colorScheme: 'dark' })
    await expectAccessible(page, 'an edit, in dark', ['color-contrast'])
    // By keyboard, too.
    await page.getByRole('button', { name: 'Undo this change' }).focus()
    await page.keyboard.press('Enter')
    await eventually(async () => expect(await (await editorOf(page)).innerText()).toContain('city 3 is unknown'))
  })

  it('ran no script of anybody else, had none refused, and failed nowhere', () => {
    expect(scene.faults).toEqual([])
  })
})
