import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNats } from '../src/index.ts'
import { isAlive, until } from './fixtures/processes.ts'
import { tempDir } from './fixtures/temp-dir.ts'

const PARENT = fileURLToPath(new URL('fixtures/parent.ts', import.meta.url))

type Started = { pids: number[]; ports: [number, number] }

async function startParent(dir: string): Promise<Started & { kill: () => void }> {
  const parent = spawn(process.execPath, [PARENT, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
  return { ...(JSON.parse(line) as Started), kill: () => parent.kill('SIGKILL') }
}

test('SIGKILL of the parent ends every child within seconds, the stubborn ones and their children too', async () => {
  await using dir = await tempDir()
  const { pids, kill } = await startParent(dir.path)
  expect(pids).toHaveLength(5)
  expect(await Promise.all(pids.map(isAlive))).toEqual([true, true, true, true, true])
  kill()
  await until(async () => !(await Promise.all(pids.map(isAlive))).includes(true), 30_000)
})

test('a start on the same folder and ports right after SIGKILL of the parent waits for the old server and works', async () => {
  await using dir = await tempDir()
  const { pids, ports, kill } = await startParent(dir.path)
  kill()
  const [port, monitorPort] = ports
  await using nats = await startNats({ dataDir: join(dir.path, 'nats'), port, monitorPort })
  expect(nats.port).toBe(port)
  await until(async () => !(await Promise.all(pids.map(isAlive))).includes(true), 30_000)
})
