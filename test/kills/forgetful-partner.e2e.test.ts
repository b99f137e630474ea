import { attemptFailed } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { registerCenters } from './centers.ts'
import { createdAt, eventsOf, expectNoDeadLetters, received, setFault, untilCreated } from './evidence.ts'
import { referenceMesh } from './reference-mesh.ts'

const SIGTERMS = 4
const SIGKILLS = 4

test('a forgetful partner does as much twice as SIGKILLs fell between its call and the ack; nothing after SIGTERMs', async () => {
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
  let cutOff = 0
  let inHand = 0
  for (let kill = 0; kill < SIGKILLS; kill += 1) {
    const order = { point: 'in the partner call', least: 1, partner: mesh.partner('senninha') } as const
    const register = async (): Promise<void> => void ids.push(...(await registerCenters(mesh, `kill${ids.length}`, 1)))
    const { calls, handlers } = await mesh.killable.get('provider')!.kill(provider, order, { meanwhile: register })
    cutOff += calls[mesh.partner('senninha').api]!
    inHand += handlers['senninha']!
  }
  await untilCreated(mesh, 'senninha', ids.length)
  await untilCreated(mesh, 'maas', ids.length)
  const { created, byCenter } = await received(mesh, 'senninha')
  // Made again, too, is a call whose answer came right before the kill, and on a busy machine one that took longer than it has.
  const gaveUp = (await eventsOf(mesh.watch, 'MESH')).filter(
    ({ type, data }) => type === attemptFailed.type && data['handler'] === 'senninha',
  ).length
  console.log(
    `forgetful: ${created - ids.length} effects too many after ${SIGKILLS} SIGKILLs inside ${cutOff} calls, with ${inHand} messages in hand, and ${gaveUp} calls that failed; 0 after SIGTERMs`,
  )
  expect(created - ids.length).toBeGreaterThan(0)
  expect(created - ids.length).toBeLessThanOrEqual(inHand + gaveUp)
  // Forgetting is the partner's fault: it got one key a centre, and one event came of it.
  expect(Object.values(byCenter).filter(({ keys }) => keys.length !== 1)).toEqual([])
  expect(await createdAt(mesh, 'senninha')).toHaveLength(ids.length)
  expect((await received(mesh, 'maas')).created).toBe(ids.length)
  await expectNoDeadLetters(mesh)
})
