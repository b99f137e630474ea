import { defineService, event, on, Reject, stream } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually, testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { startConsole } from '../../src/index.ts'
import { launchChromium } from '../chromium.ts'
import { startIssuer } from '../issuer.ts'
import { expectAccessible } from './accessible.ts'

const CARD = '4111-1111-1111-1111'
const paid = event('order.paid', {
  stream: stream('ORDERS', { subjects: ['order.>'] }),
  schema: z.object({ n: z.string(), card: z.string().meta({ sensitive: true }) }),
  key: ({ n }) => n,
})

it('people sign in with their issuer, see what their role lets them, and what is sensitive only by asking for it', async () => {
  await using parts = new AsyncDisposableStack()
  const { mesh } = parts.use(await testMesh())
  const refuse = on(paid, { startFrom: 'all' }, () => {
    throw new Reject('the bank said no')
  })
  const running = await mesh.start(defineService('bank', { handlers: { book: refuse } }))
  await mesh.publish(paid, { n: 'o-1', card: CARD })
  using operations = await openOperations(mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(1)
    expect(await operations.contracts.services()).toHaveLength(1)
  })
  const issuer = parts.use(await startIssuer())
  const console = parts.use(await startConsole({ mesh, port: 0, oidc: issuer.options }))
  issuer.open(console.url)
  const browser = await launchChromium()
  parts.defer(() => browser.close())
  const signIn = async (name: string): Promise<Awaited<ReturnType<typeof browser.newPage>>> => {
    const page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(`${console.url}/letters/1`)
    await page.getByRole('link', { name: /^Sign in with localhost/ }).click()
    await page.locator('input[name=login]').fill(name)
    await page.locator('input[name=password]').fill('any')
    await page.locator('button[type=submit]').click()
    return page
  }

  const guest = await signIn('guest')
  await guest.getByText('You may not come in').waitFor()
  await expectAccessible(guest, 'who has no role')

  const ana = await signIn('ana')
  await ana.getByText('"card": "[redacted]"').waitFor()
  expect(ana.url()).toBe(`${console.url}/letters/1`)
  await ana.getByText('ana@example.org').waitFor()
  expect(await ana.getByRole('button', { name: 'Reveal…' }).getAttribute('aria-disabled')).toBe('true')
  await expectAccessible(ana, 'a letter with what is hidden')
  await ana.getByRole('button', { name: 'Sign out' }).click()
  await ana.waitForURL((url) => url.origin === issuer.url)
  await ana.goto(`${console.url}/letters/1`)
  await ana.getByRole('link', { name: /^Sign in with/ }).waitFor()

  const eva = await signIn('eva')
  await eva.getByRole('button', { name: 'Reveal…' }).click()
  await eva.getByLabel('Reason').fill('the customer asks')
  await eva.getByRole('button', { name: 'Reveal', exact: true }).click()
  await eva.getByText(CARD).waitFor()
  await eva.reload()
  await eva.getByText('"card": "[redacted]"').waitFor()
  const { acts } = await operations.audit.list()
  expect(acts).toMatchObject([{ action: 'letter.reveal', who: 'ana@example.org (eva)', reason: 'the customer asks' }])
  const bytes = await eva.request.get(`${console.url}/api/letters/1/payload`)
  expect(JSON.parse(await bytes.text())).toEqual({ n: 'o-1', card: '[redacted]' })
  await running.stop()
})
