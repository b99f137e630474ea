import { connectMesh, defineService, type Logger, type Mesh, meshOptions } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { rightsOf, serverWithRights } from './with-rights.ts'

const rights = rightsOf('docs/how-to/run-on-your-own-nats.md').find((body) => body.includes('ADVISORIES'))!
const service = welcome('http://127.0.0.1:1')
/** Of a service that nobody runs. */
const gone = defineService('gone', { handlers: { letter: service.handlers['letter']! } })

async function limited(admin: Mesh): Promise<() => Promise<number | undefined>> {
  await (await admin.start(gone)).stop()
  const { consumers } = await jetstreamManager(admin.nats)
  await consumers.update('CENTERS', 'gone_letter', { max_deliver: 3 })
  return async () => (await consumers.info('CENTERS', 'gone_letter')).config.max_deliver
}

test('with the rights of the page a service looks after what the server gives up, and is refused nothing', async () => {
  await using server = await serverWithRights({ welcome: rights })
  await provision([service], server.as('deployer'))
  await using admin = await connectMesh(meshOptions(server.as('deployer')))
  const limit = await limited(admin)
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(server.as('welcome')), logger })
  await mesh.start(service)
  await eventually(async () => expect(await limit()).toBe(-1))
  const told = { stream: 'CENTERS', consumer: 'gone_letter', stream_seq: 7, timestamp: new Date().toISOString() }
  await jetstream(admin.nats).publish(
    '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.CENTERS.gone_letter',
    JSON.stringify(told),
  )
  const { consumers } = await jetstreamManager(admin.nats)
  await eventually(async () =>
    expect((await consumers.info('ADVISORIES', 'malha_advisories')).ack_floor.stream_seq).toBe(1),
  )
  // That the durable was set back is an error in the log, and the only one.
  expect(refusals).toMatchObject([{ service: 'gone', handler: 'letter', by: 'sweep' }])
})

test('without them it leaves that to others, and warns of nothing', async () => {
  await using server = await serverWithRights()
  await provision([service], server.as('deployer'))
  await using admin = await connectMesh(meshOptions(server.as('deployer')))
  const limit = await limited(admin)
  const { refusals, logger } = keepRefusals()
  const left = Promise.withResolvers<void>()
  const log: Logger = {
    ...logger,
    debug: (_, message) => {
      if (message.includes('looked after by other processes')) left.resolve()
    },
  }
  await using mesh = await connectMesh({ ...meshOptions(server.as('welcome')), logger: log })
  await mesh.start(service)
  await left.promise
  expect(refusals).toEqual([])
  expect(await limit()).toBe(3)
})
