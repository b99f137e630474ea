import { join } from 'node:path'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { dataFolder, descendants, malha, stillRunning } from '../malha-command.ts'

test('a run that is stopped while it starts ends without load, and leaves no process behind', async () => {
  await using data = await dataFolder()
  await using chaos = malha('chaos', '--seed', '1', '--minutes', '5', '--out', join(data.path, 'run'))
  // The command, the script, and the first server.
  await eventually(() => expect(descendants(chaos.pid).size).toBeGreaterThanOrEqual(3), { timeoutMs: 60_000 })
  const processes = descendants(chaos.pid)
  chaos.process.kill('SIGINT')
  expect(await chaos.ended).toBe(130)
  expect(chaos.stderr).toContain('stopped before the load began')
  expect(chaos.stderr).not.toContain('healing everything')
  await eventually(() => expect(stillRunning(processes)).toEqual([]))
})
