import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { fences, readText } from '../pages.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'

const confOf = (page: string): string[] =>
  fences(readText(page)).flatMap(({ info, body }) => (info === 'conf' ? [body] : []))
const [base] = confOf('docs/how-to/run-on-your-own-nats.md')
const [onlooker, operator, handler] = confOf('docs/how-to/send-dead-letters-again.md').map((rights) =>
  rights.replaceAll('shop_bill', 'welcome_letter').replaceAll('LANES_SHOP', 'LANES_WELCOME'),
)
const person = (name: string, ...rights: (string | undefined)[]): string =>
  `{ user: ${name}, password: ${name}-pw, permissions: {
  subscribe: { allow: ["_INBOX_${name}.>"] }, publish: { allow: [ ${rights.join('\n')} ] } } }`
const slice = '"$JS.API.STREAM.INFO.CENTERS"\n"$JS.API.DIRECT.GET.CENTERS"'
const PEOPLE = [person('onlooker', onlooker, slice), person('operator', onlooker, slice, operator)].join('\n')
const config = base!
  .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$WELCOME_PASSWORD', 'welcome-pw')
  .replace('"dlq.welcome_letter.>"', `"dlq.welcome_letter.>"\n${handler}\n`)
  .replace('users: [', `users: [\n${PEOPLE}\n`)

test('with the rights of the page letters are looked through, written off and sent again, an onlooker can do nothing, and nobody removes what is written down', async () => {
  let isMended = false
  await using shop = await printShop(() => (isMended ? 201 : 422))
  await using server = await testServer({ config })
  const user = (name: string): Record<string, string> => ({
    NATS_URL: server.url,
    NATS_USER: name,
    NATS_PASSWORD: `${name}-pw`,
    NATS_INBOX_PREFIX: `_INBOX_${name}`,
  })
  const service = welcome(shop.url)
  const deployer = { ...user('deployer'), NATS_INBOX_PREFIX: '_INBOX' }
  await provision([service], deployer)
  await using admin = await connectMesh(meshOptions(deployer))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(user('welcome')), logger })
  const running = await mesh.start(service)
  await admin.publish(centerOnboarded, { centerId: 'c-1' })

  await using looking = await connectMesh({ ...meshOptions(user('onlooker')), topology: 'none' })
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
  const jsm = await jetstreamManager(looking.nats, { checkAPI: false, timeout: 1000 })
  await expect(jsm.consumers.add('DEAD_LETTERS', { name: 'mine' })).rejects.toThrow(/ermission/)
  await expect(jsm.streams.purge('DEAD_LETTERS')).rejects.toThrow(/ermission/)
  await expect(view.letters.discard(seq, { who: 'ana', reason: 'no' })).rejects.toThrow(
    /OPERATIONS_NOT_AUDITED: [^]*may not use/,
  )

  isMended = true
  await using acting = await connectMesh(meshOptions(user('operator')))
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
