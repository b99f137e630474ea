import { defineService, type Logger } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { slotOf, slotSubject } from '../../src/delay/slot.ts'
import { timedOut } from './fixture.ts'

const publisher = defineService('orders', { handlers: {}, publishes: [timedOut] })
/** Stored by another client: without a format, of a format that is no number, and schedules that lack their time or their id. */
const hostile: Record<string, string>[] = [
  {},
  { 'malha-delay-format': 'x' },
  { 'malha-delay-format': '1', 'ce-id': 'a' },
  { 'malha-delay-format': '1', 'malha-due': new Date().toISOString() },
]

test('what lies among the delayed events and is none hides no other from the list, and is logged', async () => {
  const told: object[] = []
  const ignore = (): void => undefined
  const warn = (fields: object): void => void ('seq' in fields && told.push(fields))
  const logger: Logger = { debug: ignore, info: ignore, warn, error: ignore }
  await using own = await testMesh({ logger })
  const { mesh, nats } = own
  await mesh.start(publisher)
  for (const [index, lines] of hostile.entries()) {
    const headers = natsHeaders()
    for (const [name, value] of Object.entries(lines)) headers.set(name, value)
    if ('malha-delay-format' in lines && lines['malha-delay-format'] === '1') {
      headers.set('Nats-Schedule', `@at ${new Date(Date.now() + 3_600_000).toISOString()}`)
      headers.set('Nats-Schedule-Target', mesh.names.subject(`delay.due.${timedOut.type}`))
    }
    await jetstream(nats).publish(slotSubject(mesh.names, slotOf(timedOut.type, '_id', `h${index}`)), '', { headers })
  }
  const { id } = await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 3_600_000 })
  expect(await mesh.delayed()).toMatchObject([{ kind: 'once', id }])
  expect(told).toMatchObject([{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }])
})
