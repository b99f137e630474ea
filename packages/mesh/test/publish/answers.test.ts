import type { NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { PublishPipeline } from '../../src/publish/pipeline.ts'

const NOBODY = { status: 503, body: '' }
const IN_PROCESS = { status: undefined, body: '{"error":{"code":400,"err_code":10158,"description":"in process"}}' }
const CONFLICT = { status: undefined, body: '{"error":{"code":400,"err_code":10164,"description":"in flight"}}' }
const WRONG_SEQUENCE = { status: undefined, body: '{"error":{"code":400,"err_code":10071,"description":"wrong"}}' }
type Answer = typeof NOBODY | typeof IN_PROCESS | undefined

/** A pipeline whose n-th send gets the n-th answer, or the last one; undefined is none. */
function answered(...answers: Answer[]): PublishPipeline {
  let callback: (error: null, msg: object) => void = () => undefined
  let sends = 0
  const nc = {
    isClosed: () => false,
    subscribe: (_subject: string, given: { callback: typeof callback }) => void ({ callback } = given),
    publish(_subject: string, _payload: Uint8Array, { reply }: { reply: string }) {
      const answer = answers[Math.min(sends++, answers.length - 1)]
      if (answer === undefined) return
      const { status, body } = answer
      const headers = status === undefined ? undefined : { code: status }
      setImmediate(() => callback(null, { subject: reply, headers, data: Buffer.from(body), string: () => body }))
    },
  } as unknown as NatsConnection
  const watch = { isUp: () => true, listen: () => () => undefined }
  return new PublishPipeline(nc, watch, { resendMs: 200 })
}

const publish = (pipeline: PublishPipeline, hasty = false): Promise<unknown> =>
  pipeline
    .publish({ subject: 'a', payload: new Uint8Array(), headers: [], timeoutMs: 700, hasty })
    .catch((error: unknown) => error)

test('that nothing was stored is said only where every send was turned away', async () => {
  const notStored = { code: 'MESH_NO_STREAM', message: expect.stringContaining('was not stored') as string }
  const unknown = {
    code: 'MESH_PUBLISH_TIMEOUT',
    message: expect.stringContaining('may or may not be stored') as string,
  }
  const [always, once, behindSilence, inProcess] = await Promise.all([
    publish(answered(NOBODY)),
    publish(answered(NOBODY, undefined)),
    publish(answered(undefined, NOBODY)),
    publish(answered(undefined, IN_PROCESS)),
  ])
  expect(always).toMatchObject(notStored)
  for (const error of [once, behindSilence, inProcess]) expect(error).toMatchObject(unknown)
})

test('one in a hurry, too, ends with what is known of its earlier sends', async () => {
  expect(await publish(answered(NOBODY), true)).toMatchObject({ code: 'MESH_NO_STREAM' })
  expect(await publish(answered(undefined, NOBODY), true)).toMatchObject({ code: 'MESH_PUBLISH_TIMEOUT' })
})

test('a message that met another of its subject was not stored, and what comes of it then is certain', async () => {
  const taken = { code: 'MESH_PUBLISH_REFUSED', errCode: 10071 }
  expect(await publish(answered(CONFLICT, CONFLICT, WRONG_SEQUENCE))).toMatchObject({ ...taken, resent: false })
  expect(await publish(answered(undefined, CONFLICT, WRONG_SEQUENCE))).toMatchObject({ ...taken, resent: true })
  expect(await publish(answered(IN_PROCESS, WRONG_SEQUENCE))).toMatchObject({ ...taken, resent: true })
  expect(await publish(answered(CONFLICT))).toMatchObject({
    code: 'MESH_PUBLISH_TIMEOUT',
    message: expect.stringContaining('it was not stored') as string,
  })
})
