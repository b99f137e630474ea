import { silentLogger, type Mesh, type MeshOptions } from '@malha/mesh'
import type { TestMesh } from '@malha/testing'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../src/http/app.ts'
import { closeGracefully } from '../src/http/close.ts'
import { meshCenters } from '../src/mesh/mesh-centers.ts'
import { openReadModel } from '../src/read-model.ts'
import { distributionCenter } from '../src/service.ts'
import type { ReadModel } from '../src/status/read-model.ts'

/** An instance of the service, listening on a free port. */
export interface RunningApi extends AsyncDisposable {
  readonly url: string
  readonly mesh: Mesh
  readonly readModel: ReadModel
  readonly app: FastifyInstance
}

/** `handlers: false` leaves the read model to others, as when this instance has just answered and nothing has caught up. */
export async function runningApi(
  broker: TestMesh,
  options: { handlers?: boolean; mesh?: Partial<MeshOptions>; lookEveryMs?: number } = {},
): Promise<RunningApi> {
  await using stack = new AsyncDisposableStack()
  const mesh = await broker.connect(options.mesh)
  const readModel = await openReadModel(mesh, options)
  const service = distributionCenter(readModel)
  if (options.handlers === false) await mesh.provision(service)
  else stack.use(await mesh.start(service))
  const app = await buildApp({ centers: meshCenters({ mesh, readModel: () => readModel }), logger: silentLogger })
  stack.defer(() => closeGracefully(app))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const running = stack.move()
  return { url, mesh, readModel, app, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
