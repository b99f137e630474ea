import { connectMesh, meshOptions } from '@malha/mesh'
import { examine, openOperations } from '@malha/operations'
import { eventually, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { fences, readText } from '../pages.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'

const confOf = (page: string): string => fences(readText(page)).find(({ info }) => info === 'conf')!.body
const user = (name: string, rights: string): string => `{ user: ${name}, password: ${name}-pw, permissions: {
  subscribe: { allow: ["_INBOX_${name}.>"] }, publish: { allow: [ ${rights} ] } } }`
const lookers = [
  user('reader', confOf('docs/how-to/describe-a-mesh.md')),
  user('doctor', confOf('docs/how-to/look-a-mesh-over.md')),
]
const config = confOf('docs/how-to/run-on-your-own-nats.md')
  .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$WELCOME_PASSWORD', 'welcome-pw')
  .replace('users: [', `users: [\n${lookers.join('\n')}\n`)

test('with the rights of the pages a service says its contracts, somebody reads them, and somebody looks the mesh over', async () => {
  await using server = await testServer({ config })
  const as = (name: string): Record<string, string> => ({
    NATS_URL: server.url,
    NATS_USER: name,
    NATS_PASSWORD: `${name}-pw`,
    NATS_INBOX_PREFIX: `_INBOX_${name}`,
  })
  const service = welcome('http://127.0.0.1:1')
  await provision([service], { ...as('deployer'), NATS_INBOX_PREFIX: '_INBOX' })
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(as('welcome')), logger })
  await using running = await mesh.start(service)

  await using reading = await connectMesh({ ...meshOptions(as('reader')), topology: 'none' })
  using operations = await openOperations(reading)
  await eventually(async () => expect(await operations.contracts.services()).toHaveLength(1))
  const document = await operations.contracts.describe()
  expect(document.operations).toHaveProperty(['welcome.letter'])
  const wrong = operations.contracts.publish('center.onboarded', { centerId: 'c-1' }, { who: 'ana' })
  await expect(wrong).rejects.toThrow(/OPERATIONS_NOT_AUDITED|ermission/)

  await using looking = await connectMesh({ ...meshOptions(as('doctor')), topology: 'none' })
  const { findings } = await examine(looking, { againAfterMs: 100 })
  const missing = findings.filter((one) => one.state !== 'ok')
  // Letters are another page's business.
  expect(missing.map(({ what }) => what)).toEqual(['may not look at dead letters'])
  await running.stop()
  expect(refusals).toEqual([])
})
