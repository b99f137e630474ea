import { silentLogger } from '@malha/mesh'
import { expect, test } from 'vitest'
import { OutboxError, outboxSql, postgresOutbox } from '../src/index.ts'
import { resolveRelayOptions } from '../src/relay/options.ts'

test('every wrong option of the relay is told at once', () => {
  const resolve = () => resolveRelayOptions({ pollMs: 20_000, inFlight: 0, keepMs: -1 }, silentLogger)
  expect(resolve).toThrow(OutboxError)
  expect(resolve).toThrow(/inFlight is 0.*keepMs is -1.*pollMs is 20000; at most half/)
})

test('a schema whose name would need quotes is refused', () => {
  for (const schema of ['Malha', 'a-b', '', 'a"; DROP TABLE x', '1a', 'pg_mine'])
    expect(() => postgresOutbox({ schema })).toThrow(/OUTBOX_INVALID_OPTIONS: schema/)
})

test('the SQL names the schema everywhere', async () => {
  const sql = await outboxSql({ schema: 'shop' })
  expect(sql).toContain('CREATE TABLE "shop".outbox (')
  expect(sql).not.toMatch(/\{\{|malha\./)
})
