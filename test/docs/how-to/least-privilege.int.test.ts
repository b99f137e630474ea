import { centerOnboarded } from '@malha/contracts'
import { connectMesh, getStored, meshOptions, subjectOf } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcomeSent, welcomes } from '../first-service/src/contracts.ts'
import { welcome } from '../first-service/src/service.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { serverWithRights } from './with-rights.ts'

test('with the permissions of the page a service publishes, retries, dead-letters and drains, and is refused nothing', async () => {
  await using shop = await printShop((key, attempt) => (key === 'never' ? 422 : attempt < 2 ? 500 : 201))
  await using server = await serverWithRights()
  const [deployer, least] = [server.as('deployer'), server.as('welcome')]
  const service = welcome(shop.url)
  await provision([service], deployer)
  await using admin = await connectMesh(meshOptions(deployer))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(least), logger })
  const running = await mesh.start(service)

  await admin.publish(centerOnboarded, { centerId: 'c-1' }, { id: 'later' })
  await admin.publish(centerOnboarded, { centerId: 'c-2' }, { id: 'never' })
  const stored = (stream: string, last_by_subj: string) => getStored(admin.nats, stream, { last_by_subj })
  await eventually(async () => expect(await stored(welcomes.name, subjectOf(welcomeSent, 'c-1'))).toBeDefined())
  await eventually(async () => expect(await stored('DEAD_LETTERS', 'dlq.welcome_letter.>')).toBeDefined())
  await eventually(async () => expect(await stored('MESH', 'mesh.attempt.failed.>')).toBeDefined())
  await running.stop()
  const checkpoint = await stored('KV_MESH_CHECKPOINTS', '$KV.MESH_CHECKPOINTS.welcome_letter')
  expect(checkpoint).toBeDefined()
  // The one warning there is says that a letter was written.
  expect(refusals).toMatchObject([{ code: 'MESH_REJECTED' }])
})
