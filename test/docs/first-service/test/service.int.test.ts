import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { centerOnboarded } from '@malha/contracts'
import { getStored, subjectOf } from '@malha/mesh'
import { freePorts } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcomeSent, welcomes } from '../src/contracts.ts'
import { welcome } from '../src/service.ts'

const shopScript = fileURLToPath(new URL('../src/print-shop.ts', import.meta.url))

test(
  'the tutorial’s letter waits for the print shop and is then sent, with no one’s help',
  { timeout: 120_000 },
  async () => {
    const [port] = await freePorts(1)
    await using fixture = await testMesh()
    const { mesh } = fixture
    await mesh.provision(welcome(''))
    await mesh.publish(centerOnboarded, { centerId: 'c-1' })
    await using _running = await mesh.start(welcome(`http://127.0.0.1:${port}`))
    const subject = mesh.names.subject(subjectOf(welcomeSent, 'c-1'))
    const sent = () => getStored(fixture.nats, mesh.names.stream(welcomes), { last_by_subj: subject })
    const failures = () =>
      getStored(fixture.nats, mesh.names.stream('MESH'), { last_by_subj: mesh.names.subject('mesh.attempt.failed.>') })
    await eventually(async () => expect(await failures()).toBeDefined())
    expect(await sent()).toBeUndefined()

    const shop = spawn(process.execPath, [shopScript, String(port)], { stdio: 'ignore' })
    try {
      await eventually(async () => expect((await sent())?.payload.toString()).toBe('{"centerId":"c-1"}'), {
        timeoutMs: 50_000,
      })
    } finally {
      shop.kill()
    }
  },
)
