import { attemptFailed, type AttemptFailed } from '@malha/mesh'
import { eventually, untilSettled } from '@malha/testing'
import { expect, test } from 'vitest'
import { registerCenters } from './centers.ts'
import { createdAt, eventsOf, expectNoDeadLetters, received, setFault, untilCreated } from './evidence.ts'
import type { HandledMessage } from './kill-switch.ts'
import { type ReferenceMesh, referenceMesh } from './reference-mesh.ts'

const SIGTERMS = 4
const SIGKILLS = 4

test('a forgetful partner does again only what was in hand at a SIGKILL or failed; nothing after SIGTERMs', async () => {
  await using mesh = await referenceMesh({ services: ['distribution-center', 'provider'], latencyMs: 250 })
  await setFault(mesh, 'senninha', { mode: 'forgetful' })
  const provider = mesh.services.get('provider')!
  const ids: string[] = []

  for (let restart = 0; restart < SIGTERMS; restart += 1) {
    await provider.whenReady()
    const registering = registerCenters(mesh, `term${restart}`, 40)
    const before = (await received(mesh, 'senninha')).attempts
    await eventually(async () => (await received(mesh, 'senninha')).attempts > before)
    provider.kill('SIGTERM')
    ids.push(...(await registering))
    await eventually(() => provider.restarts > restart)
  }
  await untilCreated(mesh, 'senninha', ids.length)
  expect(await received(mesh, 'senninha')).toMatchObject({ created: ids.length, attempts: ids.length })

  // One centre at a time, so that a SIGKILL falls inside one call, or two when one comes again that was cut off before.
  // A call that was answered is made again, too, when its ack had not left.
  const killable = mesh.killable.get('provider')!
  for (let kill = 0; kill < SIGKILLS; kill += 1) {
    const order = { point: 'in the partner call', least: 1, partner: mesh.partner('senninha') } as const
    const register = async (): Promise<void> => void ids.push(...(await registerCenters(mesh, `kill${ids.length}`, 1)))
    await killable.kill(provider, order, { meanwhile: register })
  }
  await untilCreated(mesh, 'senninha', ids.length)
  await untilCreated(mesh, 'maas', ids.length)
  // Nothing is handled again any more.
  await untilSettled(mesh.watch, 'CENTERS', 'provider_senninha_keyed', { timeoutMs: 60_000, intervalMs: 250 })
  const { created, byCenter } = await received(mesh, 'senninha')
  const inHand = killable.kills.flatMap((kill) => kill.inHand).filter(({ handler }) => handler === 'senninha')
  const failed = await failedAttempts(mesh)
  const callsInVain = await countByCenter(mesh, [...inHand, ...failed])
  console.log(
    `forgetful: ${created - ids.length} effects too many after ${SIGKILLS} SIGKILLs with ${inHand.length} messages in hand and ${failed.length} failed attempts; 0 after SIGTERMs`,
  )
  expect(created).toBeGreaterThan(ids.length)
  const unexplained = Object.entries(byCenter).filter(([id, { effects }]) => effects - 1 > (callsInVain.get(id) ?? 0))
  expect(unexplained, `in hand or failed: ${JSON.stringify([...inHand, ...failed])}`).toEqual([])
  // Forgetting is the partner's fault: it got one key a centre, and one event came of it.
  expect(Object.values(byCenter).filter(({ keys }) => keys.length !== 1)).toEqual([])
  expect(await createdAt(mesh, 'senninha')).toHaveLength(ids.length)
  expect((await received(mesh, 'maas')).created).toBe(ids.length)
  await expectNoDeadLetters(mesh)
})

/** A call that takes longer than it may, on a busy machine, is made again. */
async function failedAttempts(mesh: ReferenceMesh): Promise<HandledMessage[]> {
  const failures = (await eventsOf(mesh.watch, 'MESH')).filter(({ type }) => type === attemptFailed.type)
  const messages = failures.map(({ data }) => data as unknown as AttemptFailed)
  return messages.filter(({ handler }) => handler === 'senninha')
}

/** How many of these messages are of each centre. */
async function countByCenter(mesh: ReferenceMesh, messages: readonly HandledMessage[]): Promise<Map<string, number>> {
  const centers = new Map((await eventsOf(mesh.watch, 'CENTERS')).map(({ seq, data }) => [seq, data['centerId']!]))
  const counts = new Map<string, number>()
  for (const { seq } of messages) {
    const center = centers.get(seq)!
    counts.set(center, (counts.get(center) ?? 0) + 1)
  }
  return counts
}
