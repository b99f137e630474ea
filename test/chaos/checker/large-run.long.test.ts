import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { dataFolder } from '../../malha-command.ts'
import type { Verdict } from './check-saved.ts'
import { writeLargeRun } from './support/write-large-run.ts'

const CHECK = fileURLToPath(new URL('../check.ts', import.meta.url))

it('checks a million messages, nine million lines, within a heap of 1 GiB, and finds the one that was lost', async () => {
  await using data = await dataFolder()
  const lost = await writeLargeRun(data.path, 1_000_000)
  const check = spawn(process.execPath, ['--max-old-space-size=1024', CHECK, data.path, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.all([text(check.stdout), once(check, 'close')])
  const { messages, rules } = JSON.parse(output) as Verdict
  expect(messages).toBe(1_000_000)
  const broken = rules.filter(({ count }) => count > 0)
  expect(broken).toMatchObject([{ rule: 'handled-once', count: 1, violations: [{ message: { id: lost } }] }])
  expect(broken[0]?.violations[0]?.lines).toHaveLength(8)
})
