import { openOperations } from '@malha/operations'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { resolveOidc } from './access/oidc/options.ts'
import { openProvider } from './access/oidc/provider.ts'
import { signInWith } from './access/oidc/sign-in.ts'
import { openTokens } from './access/token-file.ts'
import { auditRoutes } from './api/audit-routes.ts'
import { contractRoutes } from './api/contract-routes.ts'
import { correctionRoutes } from './api/correction-routes.ts'
import { eventRoutes } from './api/event-routes.ts'
import { handlerRoutes } from './api/handler-routes.ts'
import { journeyRoutes } from './api/journey-routes.ts'
import { letterRoutes } from './api/letter-routes.ts'
import { liveRoute } from './api/live-route.ts'
import { replayRoutes } from './api/replay-routes.ts'
import { limitRoutes } from './api/limit-routes.ts'
import { runRoutes } from './api/run-routes.ts'
import { sessionRoutes } from './api/session-routes.ts'
import { topologyRoutes } from './api/topology-routes.ts'
import { ConsoleError } from './errors.ts'
import { buildApp } from './http/app.ts'
import { indexReader } from './live/index-reader.ts'
import { isAway } from './live/is-away.ts'
import { liveUpdates } from './live/live.ts'
import { runWorkers } from './live/run-workers.ts'
import { sampler as openSampler } from './looks/sampler.ts'
import { type ConsoleOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { pageFiles } from './page/page-files.ts'

/** A console that listens. Disposing of it ends what it does: a run that it works on stays where it is. */
export interface Console extends AsyncDisposable {
  readonly url: string
}

/**
 * Serves the web console of a mesh, page and API. To look at something changes nothing on the server.
 * @throws ConsoleError CONSOLE_INVALID_OPTIONS | CONSOLE_OPEN_ELSEWHERE | CONSOLE_TOKENS_UNREADABLE | CONSOLE_PAGE_MISSING |
 * CONSOLE_NOT_LISTENING; OperationsError OPERATIONS_INDEX_FAILED
 */
export async function startConsole(given: ConsoleOptions): Promise<Console> {
  const { oidc: asked, ...rest } = resolveOptions(given)
  const oidc = asked && (await resolveOidc(asked))
  const options: ResolvedOptions = { ...rest, oidc }
  const { mesh, tokenFile, indexFile, clickhouse, log, jaegerUrl, tracesUrl = jaegerUrl } = options
  const tokens = tokenFile === undefined ? undefined : await openTokens(tokenFile, log)
  const page = await pageFiles()
  await using parts = new AsyncDisposableStack()
  const provider = oidc && parts.use(openProvider(oidc, log))
  // Where it listens is known when it does, and nobody asks before.
  let url = ''
  const signIn = provider && signInWith(provider, { base: () => options.origin ?? url, log })
  const operations = parts.use(
    await openOperations(mesh, {
      ...(indexFile !== undefined && { indexFile }),
      ...(clickhouse && { archive: clickhouse }),
      traces: tracesUrl,
    }),
  )
  const workers = parts.use(runWorkers(operations.runs, log))
  const reader = indexReader(mesh, operations.letters)
  parts.defer(() => reader.ended())
  const live = parts.use(liveUpdates({ operations, reader }))
  const sampler = parts.use(openSampler({ operations, reader, log }))
  const app = await buildApp({
    options,
    doors: { tokens, provider, signIn },
    page,
    async declare(api, guard) {
      api.addHook('preHandler', async ({ routeOptions: { config } }) => {
        if (!config.worksAway && isAway(mesh))
          throw new ConsoleError('CONSOLE_MESH_AWAY', 'there is no connection to NATS at the moment')
      })
      const deps = { options, operations, reader, workers, live, sampler, guard }
      await api.register((routes) => sessionRoutes(routes, deps))
      letterRoutes(api, deps)
      correctionRoutes(api, deps)
      runRoutes(api, deps)
      replayRoutes(api, deps)
      topologyRoutes(api, deps)
      handlerRoutes(api, deps)
      limitRoutes(api, deps)
      journeyRoutes(api, deps)
      eventRoutes(api, deps)
      contractRoutes(api, deps)
      auditRoutes(api, deps)
      liveRoute(api, deps)
    },
  })
  parts.defer(() => close(app))
  url = await listen(app, options)
  // Whoever opens the page first need not wait for the first read.
  reader.read(0).catch(() => undefined)
  const kept = parts.move()
  return { url, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function listen(app: FastifyInstance, { host, port }: ResolvedOptions): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConsoleError(
      'CONSOLE_NOT_LISTENING',
      `${host}:${port} cannot be listened on (${code}); take another port`,
      {
        cause,
      },
    )
  }
  const { address, port: taken } = app.server.address() as AddressInfo
  const shown = address === '::' || address === '0.0.0.0' ? 'localhost' : address
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${taken}`
}

/** What is at work may end. */
const GRACE_MS = 1000

/** A browser keeps connections open on which it has asked nothing yet: those no server would close by itself for a minute. */
async function close(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS)
  await app.close()
  clearTimeout(cut)
}
