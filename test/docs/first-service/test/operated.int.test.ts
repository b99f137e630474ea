import { fileURLToPath } from 'node:url'
import { freePorts, spawnChild } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'

test('the tutorial’s process says in JSON that it is bound, and ends with 0 on SIGTERM', async () => {
  await using t = await testMesh()
  const said: string[] = []
  const [port] = await freePorts(1)
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('../src/operated.ts', import.meta.url))],
    env: { ...process.env, NATS_URL: t.url, MALHA_NAMESPACE: t.namespace, HEALTH_PORT: String(port) },
    onLine: (line) => said.push(line),
  })
  try {
    await eventually(() =>
      expect(said.map((line) => JSON.parse(line) as unknown)).toContainEqual(
        expect.objectContaining({ name: 'welcome', msg: expect.stringContaining('welcome is bound') as string }),
      ),
    )
    // It is bound before it listens to signals.
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200))
  } finally {
    child.kill('SIGTERM')
  }
  expect((await child.exited).code).toBe(0)
})
