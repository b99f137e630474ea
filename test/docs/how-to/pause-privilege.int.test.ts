import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { fences, readText } from '../pages.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'

const confOf = (page: string): string[] =>
  fences(readText(page)).flatMap(({ info, body }) => (info === 'conf' ? [body] : []))
const [base] = confOf('docs/how-to/run-on-your-own-nats.md')
const [onlooker, operator] = confOf('docs/how-to/pause-a-handler.md')
const user = (name: string, rights: string): string => `{ user: ${name}, password: ${name}-pw, permissions: {
  subscribe: { allow: ["_INBOX_${name}.>"] }, publish: { allow: [ ${rights} ] } } }`
const config = base!
  .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$WELCOME_PASSWORD', 'welcome-pw')
  .replace('users: [', `users: [\n${user('onlooker', onlooker!)}\n${user('operator', `${onlooker}\n${operator}`)}\n`)

test('with the rights of the page a handler is looked at and paused, and an onlooker can only look', async () => {
  await using server = await testServer({ config })
  const rightsOf = (name: string): Record<string, string> => ({
    NATS_URL: server.url,
    NATS_USER: name,
    NATS_PASSWORD: `${name}-pw`,
    NATS_INBOX_PREFIX: name === 'deployer' ? '_INBOX' : `_INBOX_${name}`,
  })
  const service = welcome('http://127.0.0.1:9')
  await provision([service], rightsOf('deployer'))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(rightsOf('welcome')), logger })
  await mesh.start(service)

  await using looking = await connectMesh({ ...meshOptions(rightsOf('onlooker')), topology: 'none' })
  using view = await openOperations(looking)
  await using acting = await connectMesh({ ...meshOptions(rightsOf('operator')) })
  using operations = await openOperations(acting)
  const letter = { service: 'welcome', handler: 'letter', who: 'ana' }
  expect(await view.handlers.list()).toMatchObject([
    { service: 'welcome', paused: null, instances: [{ denied: null }] },
  ])
  await expect(view.handlers.pause({ ...letter, reason: 'no' })).rejects.toThrow(/ermission/)
  await operations.handlers.pause({ ...letter, reason: 'the printer is moved' })
  await eventually(async () =>
    expect(await view.handlers.list()).toMatchObject([{ instances: [{ paused: { reason: 'the printer is moved' } }] }]),
  )
  const jsm = await jetstreamManager(looking.nats, { checkAPI: false, timeout: 1000 })
  await expect(jsm.consumers.add('KV_HANDLERS', { name: 'mine' })).rejects.toThrow(/ermission/)
  await expect(jsm.streams.purge('KV_HANDLERS')).rejects.toThrow(/ermission/)
  await using admin = await connectMesh(meshOptions(rightsOf('deployer')))
  using auditing = await openOperations(admin)
  const { acts } = await auditing.audit.list()
  expect(acts).toMatchObject([{ action: 'handler.pause', target: 'welcome.letter', outcome: 'done', who: 'ana' }])
  // The one warning there is says that it is paused, and why.
  expect(refusals).toMatchObject([{ reason: 'the printer is moved' }])
})
