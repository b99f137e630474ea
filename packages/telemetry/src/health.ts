import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { TelemetryError } from './errors.ts'
import type { Exposition } from './metrics.ts'
import type { Env } from './redact.ts'

/** Not given these, Fastify loads a validator and a serializer for schemas: 25 ms and two megabytes. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } }

function noSchemas(): never {
  throw new Error('no route of the health endpoints has a schema; give Fastify a compiler if one shall')
}

/** Something with a readiness of its own; a `Mesh` fits. */
export interface ReportsHealth {
  health(): { ready: boolean; reasons: string[] }
}

/** Passes by returning nothing, fails by returning why or by throwing. Bounded at `checkTimeoutMs`. */
export type HealthCheck = () => string | undefined | void | Promise<string | undefined | void>

export type HealthOptions = {
  /** @default 127.0.0.1 */
  host?: string
  /** 0 takes a free port. @default 8081 */
  port?: number
  mesh?: ReportsHealth
  metrics?: { expose(accept?: string): Promise<Exposition> }
  /** Beside the mesh; the name is said with the reason. */
  checks?: Readonly<Record<string, HealthCheck>>
  /** @default 2 000 */
  checkTimeoutMs?: number
}

export interface HealthServer extends AsyncDisposable {
  readonly host: string
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

/** `HEALTH_HOST` and `HEALTH_PORT`. @throws TelemetryError TELEMETRY_INVALID_OPTIONS */
export function healthAddress(env: Env): { host: string; port: number } {
  const port = Number(env['HEALTH_PORT'] || '8081')
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new TelemetryError('TELEMETRY_INVALID_OPTIONS', 'HEALTH_PORT is not a port, 0 (any free one) to 65535')
  return { host: env['HEALTH_HOST'] || '127.0.0.1', port }
}

/**
 * Serves `/livez` (200 as long as the event loop turns: a broker that is away must not restart the process), `/readyz`
 * (200 or 503 with the reasons) and `/metrics` on a port of their own.
 * @throws TelemetryError TELEMETRY_LISTEN_FAILED when the port is taken or the address is not ours
 */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const { host = '127.0.0.1', port: wanted = 8081 } = options
  const { fastify } = await import('fastify')
  const app = fastify({ logger: false, forceCloseConnections: true, schemaController: NO_SCHEMAS })
  routes(app, options)
  try {
    await app.listen({ host, port: wanted })
  } catch (error) {
    await app.close()
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new TelemetryError(
      'TELEMETRY_LISTEN_FAILED',
      `health endpoints cannot listen on ${host}:${wanted} (${code}); free it, or set HEALTH_PORT (0 takes any) and HEALTH_HOST`,
      { cause: error },
    )
  }
  const { port } = app.server.address() as AddressInfo
  const close = async (): Promise<void> => {
    await app.close()
  }
  const shown = host.includes(':') ? `[${host}]` : host
  return { host, port, url: `http://${shown}:${port}`, close, [Symbol.asyncDispose]: close }
}

function routes(app: FastifyInstance, options: HealthOptions): void {
  app.get('/livez', () => ({ status: 'live' }))
  app.get('/readyz', async (_request, reply) => {
    const reasons = await notReady(options)
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
  const { metrics } = options
  if (metrics)
    app.get('/metrics', async (request, reply) => {
      const { contentType, body } = await metrics.expose(request.headers.accept)
      return reply.header('content-type', contentType).send(body)
    })
}

async function notReady({ mesh, checks = {}, checkTimeoutMs = 2_000 }: HealthOptions): Promise<string[]> {
  const health = mesh?.health()
  const reasons = health && !health.ready ? [...health.reasons] : []
  if (health && !health.ready && reasons.length === 0) reasons.push('the mesh is not ready')
  const answers = Object.entries(checks).map(([name, check]) => failure(name, check, checkTimeoutMs))
  for (const answer of await Promise.all(answers)) if (answer !== undefined) reasons.push(answer)
  return reasons
}

async function failure(name: string, check: HealthCheck, timeoutMs: number): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs)
  try {
    const why = await Promise.race([Promise.try(check), late])
    return why === undefined || why === '' ? undefined : `${name}: ${why}`
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    clearTimeout(timer)
  }
}
