import type { Mesh } from '@malha/mesh'
import { eventually, type FaultProxy } from '@malha/testing'

export type CutPublishing = {
  publisher: Mesh
  /** Between the publisher and its broker. */
  proxy: FaultProxy
  cuts: number
  /** How many are under way at each cut. */
  perCut: number
  /** How many messages the stream holds. */
  stored: () => Promise<number>
  /** Publishes the n-th. Never throws. */
  publish: (n: number) => Promise<void>
}

/** Half the cuts fall between storing and the answer, half anywhere in the bytes of a message. */
export async function publishThroughCuts(options: CutPublishing): Promise<void> {
  const { publisher, proxy, cuts, perCut, stored, publish } = options
  for (let cut = 0; cut < cuts; cut += 1) {
    const before = await stored()
    // Only a connection that has shaken hands can be stalled in the middle of its work.
    await eventually(() => publisher.nats.flush())
    const betweenBoth = cut % 2 === 0
    if (betweenBoth) proxy.stall('toClient')
    else proxy.dropAfter(1 + Math.floor(Math.random() * 15_000))
    const publishing = Promise.all(Array.from({ length: perCut }, (_, index) => publish(cut * perCut + index)))
    if (betweenBoth) {
      await eventually(async () => (await stored()) > before + (cut % perCut), { intervalMs: 1 })
      proxy.cut()
      proxy.resume('toClient')
    }
    await publishing
  }
}
