import { eventually, type TestMesh } from '@malha/testing'

/** Has all that `worker`'s handler `work` has to do delivered so many times, and handed back, as by processes that end. */
export async function deliverInVain(own: TestMesh, stream: string, times: number): Promise<void> {
  for (let n = 0; n < times; n++)
    await eventually(async () => {
      if ((await pull(own, stream)) === 0) throw new Error('nothing was delivered')
    })
}

/** How many messages the server has for it now; all are handed back. */
export async function pull({ mesh, nats }: TestMesh, stream: string): Promise<number> {
  const durable = mesh.names.durable('worker', 'work')
  const delivered = nats.subscribe(`vain.${durable}`)
  nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`, JSON.stringify({ batch: 100, no_wait: true }), {
    reply: `vain.${durable}`,
  })
  let count = 0
  for await (const message of delivered) {
    if (!message.reply?.startsWith('$JS.ACK.')) break
    message.respond('-NAK')
    count++
  }
  delivered.unsubscribe()
  return count
}
