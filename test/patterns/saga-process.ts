/** The process of the order saga, to be killed. `DIE_AT` is `<stage>:<n>`: SIGKILL at the n-th such stage. */
import { subscribe } from 'node:diagnostics_channel'
import { connectMesh, defineService, meshOptions, type StageEvent, untilBack } from '@malha/mesh'
import { openSaga } from '@malha/patterns'
import { orderSaga } from '../docs/how-to/saga/order-saga.ts'

const [stage = '', count = '0'] = (process.env['DIE_AT'] ?? '').split(':')
let left = Number(count)
if (stage !== '')
  subscribe('malha:delivery', (message) => {
    if ((message as StageEvent).stage === stage && --left === 0) process.kill(process.pid, 'SIGKILL')
  })

const line = (fields: object, message: string): void =>
  void process.stdout.write(`${JSON.stringify({ message, ...fields })}\n`)
const mute = (): void => undefined
const handler = { startFrom: 'all', retry: untilBack, ackWaitMs: 1_000 } as const

await using mesh = await connectMesh({
  ...meshOptions(process.env),
  logger: { debug: mute, info: line, warn: line, error: line },
})
const orders = await openSaga(mesh, orderSaga(Number(process.env['PAY_WITHIN_MS'])), { handler })
await mesh.run(defineService('orders', { handlers: { ...orders.handlers }, publishes: orders.publishes }))
