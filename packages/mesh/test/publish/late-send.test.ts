import { afterEach, expect, test, vi } from 'vitest'
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionListener } from '../../src/lifecycle/connection-watch.ts'
import { PublishPipeline } from '../../src/publish/pipeline.ts'

afterEach(() => vi.restoreAllMocks())

/** A pipeline whose process stops and goes on when a test says so, and what it sent. */
function stoppable(): { pipeline: PublishPipeline; sent: string[]; link: { isUp: boolean }; wake: () => void } {
  const sent: string[] = []
  const link = { isUp: true }
  let listener: ConnectionListener = {}
  const nc = {
    publish: (subject: string) => void sent.push(subject),
    subscribe: () => undefined,
    isClosed: () => false,
  } as unknown as NatsConnection
  const listen = (given: ConnectionListener): (() => void) => {
    listener = given
    return () => undefined
  }
  const pipeline = new PublishPipeline(nc, { isUp: () => link.isUp, listen })
  return { pipeline, sent, link, wake: () => listener.up?.() }
}

test('a process that was stopped sends nothing whose time is over, neither for the first time nor again', async () => {
  const { pipeline, sent, link, wake } = stoppable()
  const publish = (subject: string): Promise<unknown> =>
    pipeline
      .publish({ subject, payload: new Uint8Array(), headers: [], timeoutMs: 8000 })
      .catch((error: unknown) => error)
  const onWire = publish('first')
  link.isUp = false
  const waiting = publish('second')
  expect(sent).toEqual(['first'])
  // No timer has run when the connection is back: it is read first.
  const wokeAt = performance.now() + 400_000
  vi.spyOn(performance, 'now').mockReturnValue(wokeAt)
  link.isUp = true
  wake()
  expect(sent).toEqual(['first'])
  for (const one of [onWire, waiting]) expect(await one).toMatchObject({ code: 'MESH_PUBLISH_TIMEOUT' })
})
