import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, auditArchive } from '@malha/archive'
import { defineService, on, Reject } from '@malha/mesh'
import { startPartner } from '@malha/partner-simulator'
import { startClickHouse } from '@malha/stack'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, it } from 'vitest'
import { checkSaved } from '../checker/check-saved.ts'
import { noted, reminded } from '../workload/contracts.ts'
import type { HandlerFacts } from './final-state.ts'
import { gather } from './gather.ts'
import { openRecorder } from './recorder.ts'
import { operationsFolder } from './saved-run.ts'

const HANDLERS: HandlerFacts[] = [
  { handler: 'few.note', type: 'load.noted', order: 'none', effect: 'none', rejectEvery: 3 },
  { handler: 'few.remind', type: 'load.reminded', order: 'none', effect: 'once' },
]

it('gathers streams, dead letters, archive and effects so that the rules hold of what ran as promised', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha-gather-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const [server, clickhouse] = await Promise.all([
    testServer(),
    startClickHouse({ dataDir: join(folder, 'clickhouse'), env }),
  ])
  opened.use(server)
  opened.defer(() => clickhouse.stop())
  const { mesh, nats } = opened.use(await testMesh({ server, namespace: '' }))
  opened.use(archiveStreams({ nats }, { url: clickhouse.url }))
  const partner = opened.use(await startPartner({ partner: 'dmitri', dataDir: join(folder, 'partners'), latencyMs: 0 }))
  const beganAt = Date.now()
  const file = join(operationsFolder(folder), 'test.jsonl')
  const recorder = openRecorder({ process: 'test', file, beganNs: process.hrtime.bigint() })

  const handled = new Set<string>()
  const few = defineService('few', {
    publishes: [noted, reminded],
    handlers: {
      note: on(noted, { startFrom: 'all' }, ({ n }, { id, attempt }) => {
        recorder.record({ op: 'delivery', handler: 'few.note', id, attempt })
        handled.add(id)
        if (n % 3 === 0) throw new Reject('not this one: ç "\\ 😀')
      }),
      remind: on(reminded, { startFrom: 'all' }, async (_, { id }) => {
        await register(partner.url, id)
        handled.add(id)
      }),
    },
  })
  opened.use(await mesh.start(few))
  for (let n = 0; n < 10; n++) {
    const isLate = n % 5 === 4
    const { type } = isLate ? reminded : noted
    const about = {
      op: 'publish',
      id: `message-${n}`,
      type,
      n,
      ...(isLate && { due: Math.floor(recorder.now() + 300) }),
    } as const
    recorder.record({ ...about, phase: 'invoke' })
    const delay = isLate ? { deliverIn: 300 } : {}
    await mesh.publish(isLate ? reminded : noted, { n, text: 'ç "\\ 😀' }, { id: about.id, ...delay })
    recorder.record({ ...about, phase: 'ok' })
  }
  await eventually(() => expect(handled.size).toBe(10), { timeoutMs: 30_000 })
  await eventually(
    async () => {
      const audit = await auditArchive({ nats, clickhouse: { url: clickhouse.url }, waitMs: 1000 })
      const letters = audit.streams.find(({ stream }) => stream === 'DEAD_LETTERS')
      expect({ clean: audit.clean, letters: letters?.archived }).toEqual({ clean: true, letters: 3 })
    },
    { timeoutMs: 30_000 },
  )

  const ledger = join(folder, 'partners', 'dmitri.sqlite')
  const partners = [{ process: 'partner-dmitri', ledger, handler: 'few.remind', at: recorder.now() }]
  await gather({
    run: folder,
    beganAt,
    handlers: HANDLERS,
    isMended: false,
    nats,
    clickhouseUrl: clickhouse.url,
    partners,
  })
  const verdict = checkSaved(folder)
  expect(verdict.rules.filter(({ count }) => count > 0)).toEqual([])
  expect(verdict).toMatchObject({ holds: true, torn: [] })
})

async function register(partnerUrl: string, id: string): Promise<void> {
  const answer = await fetch(`${partnerUrl}/cities`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': id },
    body: JSON.stringify({ centerId: id, name: 'Recife', state: 'Pernambuco', country: 'BR' }),
  })
  if (!answer.ok) throw new Error(`the partner answered ${answer.status}`)
}
