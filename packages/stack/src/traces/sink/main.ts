/**
 * The built-in trace store, a process of its own: `node main.ts '{"port":…,"queryPort":…,"token":…}'`.
 * It takes OTLP/HTTP in JSON on `port` and answers Jaeger's query API on `queryPort`, both on 127.0.0.1.
 */
import Fastify from 'fastify'
import { addApi } from './api.ts'
import { addIntake, BODY_LIMIT } from './intake.ts'
import { noJournal, openJournal } from './journal.ts'
import { createStore } from './store.ts'

export type SinkOptions = { port: number; queryPort: number; token: string; file?: string }

/** Of JSON; in memory it is about four times that. Three hundred journeys of fifty spans are 15 MB. */
const MAX_BYTES = 48 << 20
const MAX_TRACES = 20_000
const MAX_FILE_BYTES = 2 * MAX_BYTES

const { port, queryPort, token, file } = JSON.parse(process.argv[2] ?? '{}') as SinkOptions
const store = createStore({ maxTraces: MAX_TRACES, maxBytes: MAX_BYTES })
const journal = file === undefined ? noJournal : await openJournal(file, store, MAX_FILE_BYTES)

const intake = Fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true })
const query = Fastify({ forceCloseConnections: true })
addIntake(intake, store, journal)
addApi(query, store)
for (const app of [intake, query]) app.get('/status', async () => ({ token, ...store.stats }))
await intake.listen({ port, host: '127.0.0.1' })
await query.listen({ port: queryPort, host: '127.0.0.1' })

async function stop(): Promise<void> {
  await Promise.all([intake.close(), query.close()])
  await journal.close()
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop())
