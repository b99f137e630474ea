import { connectMesh, meshOptions } from '@malha/mesh'
import { examine, openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { rightsOf, serverWithRights } from './with-rights.ts'

const users = {
  reader: { publish: rightsOf('docs/how-to/describe-a-mesh.md').slice(0, 1) },
  doctor: { publish: rightsOf('docs/how-to/look-a-mesh-over.md').slice(0, 1) },
}

test('with the rights of the pages a service says its contracts, somebody reads them, and somebody looks the mesh over', async () => {
  await using server = await serverWithRights({ users })
  const service = welcome('http://127.0.0.1:1')
  await provision([service], server.as('deployer'))
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(server.as('welcome')), logger })
  await using running = await mesh.start(service)

  await using reading = await connectMesh({ ...meshOptions(server.as('reader')), topology: 'none' })
  using operations = await openOperations(reading)
  await eventually(async () => expect(await operations.contracts.services()).toHaveLength(1))
  const document = await operations.contracts.describe()
  expect(document.operations).toHaveProperty(['welcome.letter'])
  const wrong = operations.contracts.publish('center.onboarded', { centerId: 'c-1' }, { who: 'ana' })
  await expect(wrong).rejects.toThrow(/OPERATIONS_NOT_AUDITED|ermission/)

  await using looking = await connectMesh({ ...meshOptions(server.as('doctor')), topology: 'none' })
  const { findings } = await examine(looking, { againAfterMs: 100 })
  const missing = findings.filter((one) => one.state !== 'ok')
  // Letters are another page's business.
  expect(missing.map(({ what }) => what)).toEqual(['may not look at dead letters'])
  await running.stop()
  expect(refusals).toEqual([])
})
