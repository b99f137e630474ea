import { jetstream } from '@nats-io/jetstream'
import { eventually } from '@malha/testing'
import { afterAll, expect, test } from 'vitest'
import { clockJump } from './clock-jump.ts'
import { deleteConsumer, recreateConsumer } from './delete-consumer.ts'
import { deleteStream } from './delete-stream.ts'
import { fullDisk } from './full-disk.ts'
import { killProcess } from './kill-process.ts'
import { cutLink, delayLink, oneWayLink, stallLink } from './links.ts'
import { manager } from './operator.ts'
import { pauseProcess } from './pause-process.ts'
import { named, picking } from './picking.ts'
import { rollingUpgrade } from './rolling-upgrade.ts'
import { smallSystem } from './small-system.ts'
import { stopBroker } from './stop-broker.ts'

const system = await smallSystem('single')
afterAll(() => system[Symbol.asyncDispose]())

const clock = (): (typeof system.processes)[number] => system.processes.find(({ name }) => name === 'clock')!
const link = (): (typeof system.links)[number] => system.links.find(({ to }) => to === 'clock')!
const toClock = named('clock', 'reader')

/** How long it takes to hear nothing. */
const SILENCE_MS = 300
const silent = (): Promise<unknown> =>
  expect(system.ask(AbortSignal.timeout(SILENCE_MS))).rejects.toThrow(/aborted due to timeout/)

test('kill-process ends a process, which comes back as another', async () => {
  const { pid } = await system.ask()
  const { target, end } = await killProcess.begin(system, named('clock'))
  expect(target).toBe('clock')
  await end()
  await eventually(async () => expect((await system.ask()).pid).not.toBe(pid))
})

test('pause-process keeps a process from answering until the end, and is harmless when it died meanwhile', async () => {
  const { pid } = await system.ask()
  const { end } = await pauseProcess.begin(system, named('clock'))
  await silent()
  await end()
  expect((await system.ask()).pid).toBe(pid)

  const again = await pauseProcess.begin(system, named('clock'))
  await clock().kill()
  await again.end()
  await again.end()
  await eventually(async () => expect((await system.ask()).pid).not.toBe(pid))
})

test('cut-link refuses connections until the end', async () => {
  const { target, end } = await cutLink.begin(system, toClock)
  expect(target).toBe('clock ↔ reader')
  await expect(system.ask()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  await end()
  await system.ask()
})

test('stall-link takes connections and passes nothing on', async () => {
  const before = link().proxy.counts
  const { end } = await stallLink.begin(system, toClock)
  await silent()
  const { connections, bytesToServer } = link().proxy.counts
  expect([connections > before.connections, bytesToServer]).toEqual([true, before.bytesToServer])
  await end()
  await system.ask()
})

test('one-way-link lets one be heard and not the other', async () => {
  const before = link().proxy.counts
  // The first of the two ends speaks: it is not heard.
  const { target, end } = await oneWayLink.begin(system, toClock)
  expect(target).toBe('clock ↛ reader')
  await silent()
  const { bytesToServer, bytesToClient } = link().proxy.counts
  expect([bytesToServer > before.bytesToServer, bytesToClient]).toEqual([true, before.bytesToClient])
  await end()
  await system.ask()
})

test('delay-link makes answers late', async () => {
  const { target, end } = await delayLink.begin(system, { ...toClock, int: () => 150 })
  expect(target).toBe('clock ↔ reader, 150 ms')
  const askedAt = performance.now()
  await system.ask()
  expect(performance.now() - askedAt).toBeGreaterThan(299)
  await end()
})

test('clock-jump moves Date and nothing else, also of a process that starts anew, until the end', async () => {
  const minutes = 180
  const { target, end } = await clockJump.begin(
    system,
    picking((one) => one === minutes),
  )
  expect(target).toBe('clock, +180 min')
  const ahead = async (): Promise<number> => {
    const { wallMs, newMs } = await system.ask()
    expect(Math.abs(newMs - wallMs)).toBeLessThan(1_000)
    // Never -0, which is another number to `toBe`.
    return Math.round((wallMs - Date.now()) / 60_000) + 0
  }
  const before = await system.ask()
  await eventually(async () => expect(await ahead()).toBe(minutes))
  const after = await system.ask()
  expect(after.monotonicMs - before.monotonicMs).toBeLessThan(60_000)
  await clock().kill()
  await eventually(async () => expect(await ahead()).toBe(minutes))
  await end()
  await eventually(async () => expect(await ahead()).toBe(0))
})

test('rolling-upgrade runs the release before, and at the end the current one', async () => {
  const { release } = await system.ask()
  const { end } = await rollingUpgrade.begin(system, picking())
  await expect(rollingUpgrade.begin(system, picking())).rejects.toThrow('one is under way')
  expect((await system.ask()).release).toMatch(/previous$/)
  await end()
  expect((await system.ask()).release).toBe(release)
})

test('stop-broker takes a broker away until the end', async () => {
  const [broker] = system.processes
  const { end } = await stopBroker.begin(system, picking())
  expect(broker!.pid).toBeUndefined()
  await end()
  await eventually(() => expect(system.operator.info?.jetstream).toBe(true))
  await end()
})

test('full-disk: what is published is refused until the end; what was stored before is there', async () => {
  const { streams } = await manager(system.operator)
  await streams.add({ name: 'DISK', subjects: ['disk'] })
  const publish = (bytes: number): Promise<unknown> =>
    jetstream(system.operator).publish('disk', new Uint8Array(bytes), { timeout: 1_000 })
  await publish(10)
  const first = await fullDisk.begin(system, picking())
  const { end } = await fullDisk.begin(system, picking())
  await first.end()
  const refused = async (): Promise<void> => {
    for (;;) await publish(64 * 1024)
  }
  await expect(refused()).rejects.toThrow(/timeout|no responders|unavailable|insufficient|disk|space|disabled/i)
  await end()
  await eventually(() => publish(64 * 1024))
  expect((await streams.info('DISK')).state.first_seq).toBe(1)
  await streams.delete('DISK')
})

test('delete-consumer deletes a durable; recreate-consumer makes it again after its last ack', async () => {
  const { streams, consumers } = await manager(system.operator)
  await streams.add({ name: 'NOTES', subjects: ['notes'] })
  await consumers.add('NOTES', { durable_name: 'reader', ack_policy: 'explicit', ack_wait: 60e9 })
  const js = jetstream(system.operator)
  for (let n = 0; n < 3; n += 1) await js.publish('notes', String(n))
  const reader = await js.consumers.get('NOTES', 'reader')
  await (await reader.next())!.ackAck()
  await reader.next()
  const { created } = await consumers.info('NOTES', 'reader')

  const { target } = await recreateConsumer.begin(system, picking())
  expect(target).toBe('NOTES > reader')
  const info = await consumers.info('NOTES', 'reader')
  expect(info.created).not.toBe(created)
  expect(info.num_pending).toBe(2)

  await deleteConsumer.begin(system, picking())
  await expect(consumers.info('NOTES', 'reader')).rejects.toThrow('consumer not found')
})

test('delete-stream deletes a stream of events, makes it again, and says which messages are lost', async () => {
  const { streams } = await manager(system.operator)
  const epochOf = async (): Promise<number> => Math.floor(Date.parse((await streams.info('NOTES')).created) / 1000)
  const epoch = await epochOf()
  const { target, lost } = await deleteStream.begin(system, picking())
  expect(target).toBe('NOTES')
  const { state, config } = await streams.info('NOTES')
  expect([state.messages, config.subjects]).toEqual([0, ['notes']])
  expect(lost).toEqual({ stream: 'NOTES', epoch, nextEpoch: await epochOf() })
  await streams.delete('NOTES')
})
