import { defineService, event, on, type ServiceDef, stream, topic } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const things = stream('THINGS', { subjects: ['thing.>'] })
const schema = z.object({ n: z.string() })
const x = event('thing.x', { stream: things, schema })
const y = event('thing.y', { stream: things, schema })

test('two releases of a handler with different filters run side by side, and neither loses the other’s events', async () => {
  await using env = await testMesh()
  const handled = new Set<string>()
  const note = (data: unknown): void => void handled.add((data as { n: string }).n)
  const release = (version: string, source: 'x' | 'all'): ServiceDef =>
    defineService('svc', {
      version,
      handlers: {
        h:
          source === 'x' ? on(x, { startFrom: 'all' }, note) : on(topic(things, 'thing.*'), { startFrom: 'all' }, note),
      },
    })
  const old = await env.connect()
  await old.start(release('1', 'x'))
  await env.mesh.start(release('2', 'all'))
  const expected = new Set<string>()
  for (let index = 0; index < 20; index++)
    for (const contract of [x, y]) {
      const n = `${contract.type}-${index}`
      expected.add(n)
      await env.mesh.publish(contract, { n })
    }
  await eventually(() => expect(handled).toEqual(expected), { timeoutMs: 40_000 })

  // The old one starts again: it must not take the new one's events away.
  const again = await env.connect()
  await expect(again.start(release('1', 'x'))).rejects.toThrow('stop it first')
})

test.each([
  ['thing.*', 'thing.>'],
  ['thing.>', 'thing.*'],
])('a release of a topic that is to take %s does not pass over what one beside it takes', async (first, second) => {
  await using env = await testMesh()
  const release = (pattern: string): ServiceDef =>
    defineService('svc', { handlers: { h: on(topic(things, pattern), { startFrom: 'all' }, () => undefined) } })
  const old = await env.connect()
  const running = await old.start(release(first))
  const told = `a release that runs now takes ${first}, and this one ${second}`
  await expect(env.mesh.start(release(second))).rejects.toThrow(told)
  await running.stop()
  await env.mesh.start(release(second))
})
