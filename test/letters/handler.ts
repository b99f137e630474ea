/** The process of a handler that gives up every message until it is told that it is mended, and counts what it does then. */
import { connectMesh, defineService, meshOptions, on, Reject } from '@malha/mesh'
import { parcelSent, WAYS } from './contracts.ts'

/** What was done since the last time this was asked. */
export type Done = {
  calls: number
  /** Messages that were done before, now or earlier. */
  again: number
  /** Calls in each second from the first one on. */
  bySecond: number[]
  /** Between the first call and the last, ms. */
  lastedMs: number
  /** Unix ms. */
  lastAt: number
}

/** `take` begins anew; `look` does not. */
export type Ask = 'mend' | 'look' | 'take'

const done = new Uint8Array(Number(process.env['PARCELS']))
let isMended = false
let calls: number[] = []
let again = 0

process.on('message', (ask: Ask) => {
  if (ask === 'mend') isMended = true
  process.send!(told())
  if (ask !== 'take') return
  calls = []
  again = 0
})
process.once('disconnect', () => process.exit(0))

function told(): Done {
  const first = calls[0] ?? 0
  const lastAt = calls.at(-1) ?? 0
  const bySecond: number[] = []
  for (const at of calls) {
    const second = Math.floor((at - first) / 1000)
    bySecond[second] = (bySecond[second] ?? 0) + 1
  }
  return { calls: calls.length, again, bySecond: Array.from(bySecond, (n) => n ?? 0), lastedMs: lastAt - first, lastAt }
}

const depot = defineService('depot', {
  handlers: {
    send: on(parcelSent, { startFrom: 'all', concurrency: 256 }, ({ n }) => {
      if (!isMended) throw new Reject(`${WAYS[n % WAYS.length]}: parcel ${n}`)
      calls.push(performance.timeOrigin + performance.now())
      if (done[n]) again += 1
      done[n] = 1
    }),
  },
})

await using mesh = await connectMesh(meshOptions(process.env))
await mesh.run(depot)
