import { silentLogger } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { describe, expect, it } from 'vitest'
import { type NotifyOptions, startNotifier } from '../../src/index.ts'
import { keptLog, receiver, SECRET_PATH } from './receiver.ts'
import { lettersFor, QUICK, shop } from './shop.ts'

const hidden = [SECRET_PATH, 'T0SECRET', 'B0SECRET']

describe('a webhook', () => {
  it('that is down is told once it is back, and nothing says its address', async () => {
    const { logger, lines } = keptLog()
    await using test = await testMesh({ logger })
    const { mesh } = test
    const down = await receiver()
    const { url, port } = down
    await down[Symbol.asyncDispose]()
    await mesh.start(shop)
    await using one = await startNotifier(mesh, { ...QUICK, url })
    await using other = await startNotifier(await test.connect(), { ...QUICK, url })
    await lettersFor(mesh, ['no room'])
    // Both had their turn, gave up, and left it to the other.
    await eventually(() =>
      expect([one, other].map((each) => each.health().reasons.join())).toEqual([
        `the webhook: 127.0.0.1:${port}: ECONNREFUSED`,
        `the webhook: 127.0.0.1:${port}: ECONNREFUSED`,
      ]),
    )
    await using back = await receiver({ port })
    await lettersFor(mesh, ['no room either'])
    await eventually(() => expect(back.received.length).toBe(2))
    await eventually(() => expect([one, other].some((each) => each.health().ready)).toBe(true))
    expect(new Set(back.received.map(({ body }) => body['reason']))).toEqual(
      new Set(['MESH_REJECTED: no room', 'MESH_REJECTED: no room either']),
    )
    const log = lines.join('\n')
    expect(log).toContain(`the webhook at 127.0.0.1:${port} is away (ECONNREFUSED)`)
    for (const secret of hidden) expect(log).not.toContain(secret)
  })

  it('that refuses, leads elsewhere or says nothing is told of with its host alone, and tried again', async () => {
    const { logger, lines } = keptLog()
    await using test = await testMesh({ logger })
    const { mesh } = test
    await using elsewhere = await receiver()
    await using hook = await receiver()
    await mesh.start(shop)
    hook.answer = { status: 404 }
    await using notifier = await startNotifier(mesh, { ...QUICK, url: `${hook.url}?token=T0SECRET` })
    const says = async (why: string): Promise<void> => {
      await eventually(() => expect(notifier.health().reasons.join()).toContain(why))
    }
    await lettersFor(mesh, ['no room'])
    await says('it answered 404')
    hook.answer = { status: 302, headers: { location: elsewhere.url } }
    await says('it answered 302')
    hook.answer = null
    await says('it did not answer in time')
    hook.answer = { status: 503 }
    await says('it answered 503')
    hook.answer = { status: 204 }
    await eventually(() => expect(hook.received.length).toBe(1))
    await eventually(() => expect(notifier.health()).toEqual({ ready: true, reasons: [] }))
    expect(elsewhere.asked).toBe(0)
    const log = lines.join('\n')
    expect(log).toMatch(/the webhook at 127\.0\.0\.1:\d+ refused a message \(it answered 404\): correct its address/)
    for (const secret of hidden) expect(log).not.toContain(secret)
  })

  it('that asks to be left alone is left alone for so long, and no other message is in its way', async () => {
    await using test = await testMesh({ logger: silentLogger })
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    hook.answer = { status: 429, headers: { 'retry-after': '1' } }
    await using notifier = await startNotifier(mesh, { ...QUICK, url: hook.url })
    await lettersFor(mesh, ['no room', 'no street'])
    await eventually(() => expect(notifier.health().ready).toBe(false))
    const askedAt = performance.now()
    hook.answer = { status: 200 }
    await eventually(() => expect(hook.received.length).toBe(2))
    expect(hook.received[0]!.atMs - askedAt).toBeGreaterThan(500)
    expect(hook.asked).toBe(3)
  })

  it('that does not like one message gets the others', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    hook.answer = { status: 400 }
    await using notifier = await startNotifier(mesh, { ...QUICK, giveUpMs: 60_000, url: hook.url })
    await lettersFor(mesh, ['no room'])
    await eventually(() => expect(notifier.health().ready).toBe(false))
    hook.answer = { status: 200 }
    await lettersFor(mesh, ['no street'])
    await eventually(() =>
      expect(hook.received.map(({ body }) => body['reason'])).toEqual(['MESH_REJECTED: no street']),
    )
  })

  it('gets what Slack reads: one text, in which nothing of others is a link, a mention or a format', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    const consoleUrl = 'https://malha.example.com/console/'
    await using _notifier = await startNotifier(mesh, { ...QUICK, url: hook.url, format: 'slack', consoleUrl })
    await lettersFor(mesh, ['<!channel> *`x`* & \u001B[31m<https://evil.example|here>\u202E\r\n'])
    await eventually(() => expect(hook.received.length).toBe(1))
    const { body } = hook.received[0]!
    expect(Object.keys(body)).toEqual(['text'])
    expect(body['text']).toMatch(
      /^\[t\w+\] Dead letter: `shop\/bill` gave up a message, `MESH_REJECTED`: `&lt;!channel&gt; \*'x'\* &amp; n&gt;m&lt;https:\/\/evil\.example\|here&gt;`\n<https:\/\/malha\.example\.com\/console\/letters\?group=[0-9a-f]{10}\|open in the console>$/,
    )
  })

  it.each<[Partial<NotifyOptions>, RegExp]>([
    [{ url: 'hooks.example.com/T0SECRET' }, /^OPERATIONS_INVALID_OPTIONS: url is no http\(s\) address$/],
    [{ url: 'https://u:T0SECRET@hooks.example.com/' }, /url has a user or password before its host/],
    [
      { url: 'file:///T0SECRET', format: 'xml' as 'json', quietMs: 0 },
      /url is no .*; format is "xml"; .*; quietMs is 0/,
    ],
    [{ url: 'https://hooks.example.com', consoleUrl: 'javascript:alert(1)' }, /consoleUrl is no http/],
  ])('that is none is refused without saying it: %#', async (options, why) => {
    await using test = await testMesh()
    const refusal: unknown = await startNotifier(test.mesh, { ...QUICK, url: '', ...options }).catch(
      (error: unknown) => error,
    )
    expect((refusal as Error).message).toMatch(why)
    expect(`${String(refusal)} ${(refusal as Error).stack}`).not.toContain('T0SECRET')
  })
})
