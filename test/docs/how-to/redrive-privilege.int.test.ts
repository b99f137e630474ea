import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { expectOnlooker, rightsOf, serverWithRights } from './with-rights.ts'

const [onlooker, operator, welcomes] = rightsOf('docs/how-to/send-dead-letters-again.md').map((rights) =>
  rights.replaceAll('shop_bill', 'welcome_letter').replaceAll('LANES_SHOP', 'LANES_WELCOME'),
)
const slice = '"$JS.API.STREAM.INFO.CENTERS"\n"$JS.API.DIRECT.GET.CENTERS"'
const users = {
  onlooker: { publish: [onlooker!, slice] },
  operator: { publish: [onlooker!, slice, operator!] },
}

test('with the rights of the page letters are looked through, written off and sent again, an onlooker can do nothing, and nobody removes what is written down', async () => {
  let isMended = false
  await using shop = await printShop(() => (isMended ? 201 : 422))
  await using server = await serverWithRights({ users, welcome: welcomes! })
  const service = welcome(shop.url)
  const deployer = server.as('deployer')
  await provision([service], deployer)
  await using admin = await connectMesh(meshOptions(deployer))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(server.as('welcome')), logger })
  const running = await mesh.start(service)
  await admin.publish(centerOnboarded, { centerId: 'c-1' })

  await using looking = await connectMesh({ ...meshOptions(server.as('onlooker')), topology: 'none' })
  using view = await openOperations(looking)
  await eventually(async () => {
    await view.letters.refresh()
    expect(view.letters.list().total).toBe(1)
  })
  const [{ seq, subject }] = view.letters.list().letters as unknown as [{ seq: number; subject: string }]
  expect(await view.letters.read(seq)).toMatchObject({ code: 'MESH_REJECTED' })
  expect(await view.runs.plan({})).toMatchObject({ total: 1 })
  expect(await view.runs.list()).toEqual([])
  const of = { service: 'welcome', handler: 'letter' }
  expect(await view.runs.planReplay(of)).toMatchObject({ total: 1, samples: [{ key: 'c-1' }] })
  await expectOnlooker(looking.nats, ['DEAD_LETTERS'])
  await expect(view.letters.discard(seq, { who: 'ana', reason: 'no' })).rejects.toThrow(
    /OPERATIONS_NOT_AUDITED: [^]*may not use/,
  )

  isMended = true
  await using acting = await connectMesh(meshOptions(server.as('operator')))
  using operations = await openOperations(acting)
  await operations.letters.discard(seq, { who: 'ana', reason: 'closed' })
  // The stream is there now: an onlooker is refused its entry, and so the act.
  await expect(view.letters.reopen(seq, { who: 'eva', reason: 'no' })).rejects.toThrow(
    /OPERATIONS_NOT_AUDITED: [^]*(may not|ermission)/,
  )
  await operations.letters.reopen(seq, { who: 'ana', reason: 'open again' })
  const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
  expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({ state: 'done', counts: { ok: 1 } })
  await view.letters.refresh()
  expect(view.letters.list().letters).toMatchObject([{ subject, state: 'resolved', run: id }])

  // To look at the runs nothing is made either.
  expect((await view.runs.list()).map((run) => run.id)).toEqual([id])
  expect(await view.runs.read(id)).toMatchObject({ state: 'done' })

  const { acts } = await view.audit.list()
  expect(acts.map(({ who, action, outcome }) => [who, action, outcome])).toEqual([
    ['ana', 'run.work', 'done'],
    ['ana', 'run.begin', 'done'],
    ['ana', 'letter.reopen', 'done'],
    ['ana', 'letter.discard', 'done'],
  ])
  const own = await jetstreamManager(acting.nats, { checkAPI: false, timeout: 1000 })
  const tries = [
    () => own.streams.deleteMessage('AUDIT', 1),
    () => own.streams.purge('AUDIT'),
    () => own.streams.delete('AUDIT'),
    () => own.streams.update('AUDIT', { max_msgs: 1 }),
  ]
  for (const attempt of tries) await expect(attempt()).rejects.toThrow(/ermission/)
  const replay = await operations.runs.replay({ ...of, who: 'ana' })
  expect(await operations.runs.work(replay.id, { who: 'ana' })).toMatchObject({ state: 'done', counts: { ok: 1 } })
  await running.stop()
  // The one warning there is says that a letter was written.
  expect(refusals).toMatchObject([{ code: 'MESH_REJECTED' }])
})
