import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { expectOnlooker, rightsOf, serverWithRights } from './with-rights.ts'

const [onlooker, operator] = rightsOf('docs/how-to/pause-a-handler.md') as [string, string]
const users = { onlooker: { publish: [onlooker] }, operator: { publish: [onlooker, operator] } }

test('with the rights of the page a handler is looked at and paused, and an onlooker can only look', async () => {
  await using server = await serverWithRights({ users })
  const service = welcome('http://127.0.0.1:9')
  await provision([service], server.as('deployer'))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(server.as('welcome')), logger })
  await mesh.start(service)

  await using looking = await connectMesh({ ...meshOptions(server.as('onlooker')), topology: 'none' })
  using view = await openOperations(looking)
  await using acting = await connectMesh({ ...meshOptions(server.as('operator')) })
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
  await expectOnlooker(looking.nats, ['KV_HANDLERS'])
  await using admin = await connectMesh(meshOptions(server.as('deployer')))
  using auditing = await openOperations(admin)
  const { acts } = await auditing.audit.list()
  expect(acts).toMatchObject([{ action: 'handler.pause', target: 'welcome.letter', outcome: 'done', who: 'ana' }])
  // The one warning there is says that it is paused, and why.
  expect(refusals).toMatchObject([{ reason: 'the printer is moved' }])
})
