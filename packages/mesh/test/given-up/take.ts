import type { TestMesh } from '@malha/testing'

/** Has so many messages delivered, as to a process that is done with them, or has them in hand and is silent. */
export async function take({ mesh, nats }: TestMesh, count: number, isDone: boolean): Promise<void> {
  const [stream, durable] = [mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work')]
  const delivered = nats.subscribe(`take.${durable}`, { max: count })
  const batch = JSON.stringify({ batch: count, expires: 5e9 })
  nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`, batch, { reply: `take.${durable}` })
  let taken = 0
  for await (const message of delivered) {
    taken++
    if (isDone) message.respond('+ACK')
  }
  if (taken < count) throw new Error(`${taken} of ${count} came`)
}
