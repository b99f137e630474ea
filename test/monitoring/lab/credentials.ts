import { connectMesh, days, hours } from '@malha/mesh'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { testServer } from '@malha/testing'
import { operatorOf } from '../../certificates/operator.ts'
import { secretVolume } from '../../certificates/secret-volume.ts'
import type { Lab } from './fault.ts'

const FILE = 'user.creds'

/** A process whose credentials are renewed, and once for an hour only. Its broker is restarted each time, as one is in a release. */
export async function credentialsLab(): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const { config, account } = await operatorOf('lab')
  const issued = async (forMs?: number): Promise<Record<string, string>> => ({
    [FILE]: await account.creds('worker', forMs === undefined ? undefined : new Date(Date.now() + forMs)),
  })
  const server = opening.use(await testServer({ config }))
  const volume = opening.use(await secretVolume(await issued(days(90))))
  const metrics = prometheusMetrics({ service: 'credentials', version: '1.0.0' })
  opening.use(await connectMesh({ servers: [server.url], credsFile: volume.path(FILE), metrics }))
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const renew = async (forMs?: number): Promise<void> => {
    await volume.write(await issued(forMs))
    await server.restart()
  }
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [{ alerts: ['CredentialsEndSoon'], begin: () => renew(hours(1)), end: () => renew() }],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
