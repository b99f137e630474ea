import { connectMesh, defineService, type Mesh, on, type ServiceDef } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, onTestFinished } from 'vitest'
import type { Joined } from './leaf.ts'
import { billMade, orderMoved } from './orders.ts'

export const EDGE = 'edge'
/** A leaf node and a source that lost the hub take up to half a minute to go on. */
export const PATIENCE = { timeoutMs: 45_000 }

const KEYS = ['o-1', 'o-2', 'o-3']

export const publishing: ServiceDef = defineService('shop', { handlers: {}, publishes: [orderMoved] })

/** Connected until the test has finished. */
export async function connected(servers: string, namespace = ''): Promise<Mesh> {
  const mesh = await connectMesh({ servers, name: 'test', namespace })
  onTestFinished(() => mesh.close())
  return mesh
}

/** Orders of the hub, sourced into the namespace of the edge. */
export async function sourced({ hub, edge }: Joined): Promise<{ hub: Mesh; edge: Mesh }> {
  const meshes = { hub: await connected(hub.url), edge: await connected(edge.url, EDGE) }
  await meshes.hub.provision(publishing)
  await meshes.edge.provision(publishing)
  await source(meshes.edge)
  return meshes
}

/** Publishes moves at the hub, in two halves, and expects a handler at the edge to get each once, in order, under its id. */
export async function expectAllAtTheEdge(
  { hub, edge }: { hub: Mesh; edge: Mesh },
  { between = async () => {} }: { between?: () => Promise<void> } = {},
): Promise<void> {
  const seen: { orderId: string; nth: number; id: string }[] = []
  const bill = on(orderMoved, { startFrom: 'all', order: 'key' }, (move, ctx) => {
    seen.push({ ...move, id: ctx.id })
    ctx.publish(billMade, move)
  })
  const running = await edge.start(defineService('billing', { handlers: { bill }, publishes: [billMade] }))
  const ids: string[] = []
  const publish = async (from: number, to: number): Promise<void> => {
    for (let nth = from; nth <= to; nth++)
      for (const orderId of KEYS) ids.push((await hub.publish(orderMoved, { orderId, nth })).id)
    await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(ids.length), PATIENCE)
  }
  await publish(1, 10)
  await between()
  await publish(11, 20)
  expect(seen.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  for (const key of KEYS)
    expect(seen.flatMap(({ orderId, nth }) => (orderId === key ? [nth] : []))).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 1),
    )
  // What the handler publishes is the edge's own, once each.
  await eventually(async () => expect(await stored(edge, `${EDGE}_BILLS`)).toBe(ids.length), PATIENCE)
  await running.stop()
}

export async function stored(mesh: Mesh, stream: string): Promise<number> {
  return (await (await jetstreamManager(mesh.nats)).streams.info(stream)).state.messages
}

/** What an operator does once. */
async function source(edge: Mesh): Promise<void> {
  // #region source
  const jsm = await jetstreamManager(edge.nats)
  await jsm.streams.update('edge_ORDERS', {
    sources: [
      {
        name: 'ORDERS',
        external: { api: '$JS.hub.API', deliver: '' },
        subject_transforms: [{ src: 'order.>', dest: 'edge.order.>' }],
      },
    ],
  })
  // #endregion
}
