import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@malha/mesh'
import { centerRegistered } from '@malha/contracts'
import { findNatsServer } from '@malha/stack'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { untilOnboarded } from '../kills/centers.ts'
import { eventsOf, expectEachFactOnce, expectOneEffectEach } from '../kills/evidence.ts'
import { referenceMesh } from '../kills/reference-mesh.ts'

/** Half a kibibyte each (POSIX `ulimit -f`): what one file of the server may have. */
const BLOCKS = 256

/**
 * A nats-server on a disk that is full as long as the file `full` is there. A write past the file size limit of a process
 * fails as one without space does, with another number, and the server takes both in the same way.
 */
async function smallDisk() {
  const dir = await mkdtemp(join(tmpdir(), 'malha-disk-'))
  const { path } = await findNatsServer()
  const [program, full] = [join(dir, 'nats-server'), join(dir, 'full')]
  await writeFile(program, `#!/bin/sh\n[ -f '${full}' ] && ulimit -S -f ${BLOCKS}\nexec '${path}' "$@"\n`)
  await chmod(program, 0o755)
  await writeFile(full, '')
  return {
    env: { ...process.env, NATS_SERVER_BIN: program },
    free: () => rm(full),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

type Answer = { status: number; ms: number; retryAfter: string | null; body: { id?: string; type?: string } }

async function post(api: string, key: string): Promise<Answer> {
  const started = performance.now()
  const center = { name: `Centre ${key}`, city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } }
  const answer = await fetch(`${api}/centers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ ...center, address: 'x'.repeat(500) }),
  })
  const body = (await answer.json()) as Answer['body']
  return { status: answer.status, ms: performance.now() - started, retryAfter: answer.headers.get('retry-after'), body }
}

/** For as long as the broker is away. */
async function registered(api: string, key: string): Promise<string> {
  const answer = await eventually(
    async () => {
      const answer = await post(api, key)
      expect(answer.status).toBe(202)
      return answer
    },
    { timeoutMs: 60_000 },
  )
  return answer.body.id!
}

test('a full disk: what cannot be stored is refused, what was answered is kept, and with space it goes on', async () => {
  await using disk = await smallDisk()
  await using mesh = await referenceMesh({
    services: ['distribution-center', 'provider', 'city-registration'],
    natsEnv: disk.env,
  })
  const ids: string[] = []
  let refused: Answer | undefined
  const isFull = (): boolean => /nats .*critical write error: .*file too large/.test(mesh.output.join('\n'))
  while (refused === undefined) {
    const answer = await post(mesh.api, `key-${ids.length}`)
    if (answer.status === 202) ids.push(answer.body.id!)
    // A busy machine may be too slow for one answer; only the disk's refusal is looked for.
    else if (isFull()) refused = answer
    else if (answer.status !== 503) throw new Error(`POST /centers answered ${answer.status}`)
  }
  expect(refused).toMatchObject({ status: 503, retryAfter: '1', body: { type: 'urn:malha:problem:unavailable' } })
  expect(refused.ms).toBeLessThan(5_000)
  expect(ids.length).toBeGreaterThan(10)
  // The same as the library says it, to a program of one's own.
  const direct = await mesh.connect('admin')
  const center = { centerId: 'direct', name: 'n', city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } }
  const error = await direct
    .publish(centerRegistered, center, { id: 'd', timeoutMs: 1_000 })
    .catch((error: unknown) => error)
  expect(error).toBeInstanceOf(MeshError)
  expect(error).toMatchObject({
    code: 'MESH_PUBLISH_TIMEOUT',
    message: expect.stringMatching(/publish again with the same id/),
  })

  await disk.free()
  await mesh.nats.kill()
  await mesh.nats.restart()
  // The keys that were answered find their centres, and the one that was refused is registered now.
  const again: string[] = []
  for (let n = 0; n <= ids.length; n += 1) again.push(await registered(mesh.api, `key-${n}`))
  expect(again.slice(0, -1)).toEqual(ids)
  expect((await eventsOf(mesh.watch, 'CENTERS')).some(({ data }) => data['centerId'] === 'direct')).toBe(false)
  await untilOnboarded(mesh, again, 120_000)
  await expectEachFactOnce(mesh, again)
  await expectOneEffectEach(mesh, again)
}, 300_000)
