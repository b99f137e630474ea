import { defineService, event, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations, type Operations } from '../../src/index.ts'

const papers = stream('PAPERS', { subjects: ['paper.>'] })
const sent = event('paper.sent', { stream: papers, schema: z.object({ to: z.string(), text: z.string() }) })

/** With its headers and those of a letter a message of the server's largest size, nearly. */
const TEXT = 'ç'.repeat(480 * 1024)

async function untilLetter({ letters }: Operations): Promise<number> {
  return await eventually(async () => {
    await letters.refresh()
    const list = letters.list()
    expect(list.total).toBe(1)
    return list.letters[0]!.seq
  })
}

async function redrive({ runs }: Operations): Promise<object> {
  const { id } = await runs.redrive({ filter: {}, who: 'ana' })
  return (await runs.work(id, { who: 'ana' })).counts
}

it('a letter of nearly a megabyte is listed, read, corrected and sent again whole', async () => {
  await using test = await testMesh()
  const handled: { to: string; length: number }[] = []
  const keep = on(sent, { startFrom: 'all' }, ({ to, text }) => {
    if (to !== 'Santos') throw new Reject(`there is no ${to}`)
    handled.push({ to, length: text.length })
  })
  const running = await test.mesh.start(defineService('desk', { handlers: { keep } }))
  await test.mesh.publish(sent, { to: 'Snatos', text: TEXT })
  using operations = await openOperations(test.mesh)
  const { letters } = operations
  const seq = await untilLetter(operations)
  const whole = await letters.read(seq)
  expect([whole.hasPayload, whole.payload.length]).toEqual([true, whole.payloadBytes])
  expect(whole.payloadBytes).toBeGreaterThan(960 * 1024)
  const { changes } = await letters.edit(seq, {
    who: 'ana',
    reason: 'the city was misspelt',
    payload: JSON.stringify({ to: 'Santos', text: TEXT }),
  })
  // What is written down is what was changed, not the paper.
  expect(changes).toEqual([{ op: 'replace', path: '/to', value: 'Santos' }])
  expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1, gone: 0 })
  expect(handled).toEqual([{ to: 'Santos', length: TEXT.length }])
  await running.stop()
})

it('a letter of bytes that are no text keeps them: sent again it fails as it came, and it is corrected as a whole', async () => {
  await using test = await testMesh()
  const bytes = Buffer.from([0x00, 0xff, 0xfe, 0x7b, 0x0d, 0x0a, 0x80])
  const handled: string[] = []
  const keep = on(sent, { startFrom: 'all' }, ({ to }, { id }) => void handled.push(`${id} to ${to}`))
  const running = await test.mesh.start(defineService('desk', { handlers: { keep } }))
  const said = { specversion: '1.0', id: 'paper-1', type: 'paper.sent', source: 'elsewhere' }
  const attributes = headers()
  for (const [name, value] of Object.entries(said)) attributes.set(`ce-${name}`, value)
  await jetstream(test.mesh.nats).publish(test.mesh.names.subject('paper.sent'), bytes, { headers: attributes })
  using operations = await openOperations(test.mesh)
  const { letters } = operations
  const seq = await untilLetter(operations)
  expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 0, failed: 1 })
  expect(handled).toEqual([])
  expect(Buffer.from((await letters.read(seq)).payload)).toEqual(bytes)

  const paper = { to: 'Santos', text: '' }
  const decision = { who: 'ana', reason: 'its text was lost', payload: JSON.stringify(paper) }
  const { changes } = await letters.edit(seq, decision)
  expect(changes).toEqual([{ op: 'replace', path: '', value: paper }])
  expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1 })
  expect(handled).toEqual(['paper-1 to Santos'])
  expect(Buffer.from((await letters.read(seq)).payload)).toEqual(bytes)
  await running.stop()
})
