import { connectMesh } from '@malha/mesh'
import { prometheusMetrics } from '@malha/telemetry'
import { eventually, testServer } from '@malha/testing'
import { nkeys } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import { operatorOf } from '../certificates/operator.ts'
import { secretVolume } from '../certificates/secret-volume.ts'
import { underLoad } from './under-load.ts'

const inSeconds = (seconds: number): Date => new Date((Math.floor(Date.now() / 1000) + seconds) * 1000)

/** What a process ends with when it cannot connect. */
async function refusal(servers: string, by: { credsFile: string } | { nkeySeedFile: string }): Promise<string> {
  try {
    await using mesh = await connectMesh({ servers, ...by })
    return `it connected: ${mesh.nats.getServer()}`
  } catch (error) {
    return (error as Error).message
  }
}

it('credentials that ended, or are of another account or operator, and nkeys nobody knows are refused at start by what they are, and no secret is said', async () => {
  const [own, other] = await Promise.all([operatorOf('own'), operatorOf('other')])
  const user = nkeys.createUser()
  const seed = new TextDecoder().decode(user.getSeed())
  const texts = {
    good: await own.account.creds('worker', inSeconds(3600)),
    ended: await own.account.creds('worker', inSeconds(-60)),
    foreign: await other.account.creds('worker'),
    malformed: (await own.account.creds('worker')).replaceAll('-', ''),
    seed,
  }
  await using volume = await secretVolume(texts)
  await using server = await testServer({ config: own.config })
  const at = server.url.replace('nats://', '')
  const told: Record<string, string> = {}
  for (const name of ['good', 'ended', 'foreign', 'malformed', 'missing', 'seed'])
    told[name] = await refusal(server.url, { credsFile: volume.path(name) })
  expect(told).toEqual({
    good: `it connected: ${at}`,
    ended: expect.stringMatching(
      `^MESH_AUTH_FAILED: ${at} refused the credentials in ${volume.path('ended')}: they ended at 20.*Z. Issue new ones and put them into that file`,
    ),
    foreign: expect.stringMatching(
      `^MESH_AUTH_FAILED: ${at} refused the credentials in ${volume.path('foreign')}. Those of user "worker" were issued by account ${other.account.id}: .*another operator`,
    ),
    malformed: expect.stringMatching(
      /^MESH_INVALID_OPTIONS: the credentials file .*malformed does not hold what its name says/,
    ),
    missing: expect.stringMatching(/^MESH_INVALID_OPTIONS: the credentials file .*missing does not exist/),
    seed: expect.stringMatching(/^MESH_INVALID_OPTIONS: the credentials file .*seed does not hold what its name says/),
  })
  await using keys = await testServer({
    config: `authorization { users: [{ nkey: ${nkeys.createUser().getPublicKey()} }] }`,
  })
  told['nkey'] = await refusal(keys.url, { nkeySeedFile: volume.path('seed') })
  expect(told['nkey']).toMatch(
    `refused the nkey ${user.getPublicKey()} whose seed is in ${volume.path('seed')}. Check that this public key is among`,
  )
  const secrets = Object.values(texts).flatMap((text) => text.match(/^(?:S[A-Z2-7]{50,}|ey\S+)$/gm) ?? [])
  expect(secrets.length).toBeGreaterThan(6)
  for (const secret of secrets) expect(JSON.stringify(told)).not.toContain(secret)
})

it('credentials that end under load are taken up again from a file that is replaced in time, and else are the reason not to be ready until it is: nothing is lost or done twice', async () => {
  const { config, account } = await operatorOf('own')
  await using server = await testServer({ config })
  // Until after the start, also where the machine is busy.
  await using volume = await secretVolume({ 'user.creds': await account.creds('worker', inSeconds(6)) })
  const replace = async (endsAt?: Date): Promise<void> =>
    volume.write({ 'user.creds': await account.creds('worker', endsAt) })
  const file = volume.path('user.creds')
  const metrics = prometheusMetrics({ service: 'worker', version: '1.0.0' })
  const ends = async (): Promise<string | undefined> =>
    /^mesh_credentials_end_timestamp_seconds\{.*\} (.*)$/m.exec((await metrics.expose()).body)?.[1]
  await using worker = await underLoad({ servers: server.url, credsFile: file, metrics })
  const { mesh } = worker

  // In time: the server ends the connection when they end, and it is back with the next ones.
  const second = inSeconds(10)
  await replace(second)
  await eventually(() => expect(worker.times(/^NATS is back$/)).toBe(1), { timeoutMs: 20_000 })
  expect(worker.times(/does not take this process back/)).toBe(0)
  await eventually(async () => expect(await ends()).toBe(String(second.getTime() / 1000)))

  // Too late: these end, and nobody has replaced them.
  const ended = `refused the credentials in ${file}: they ended at ${second.toISOString()}.`
  await eventually(() => expect(mesh.health().reasons.join('\n')).toContain(ended), { timeoutMs: 30_000 })
  expect(mesh.health()).toMatchObject({ ready: false, reasons: expect.arrayContaining(['NATS is away']) })
  await worker.cannotPublish()
  await replace()
  await eventually(() => expect(mesh.health()).toEqual({ ready: true, reasons: [] }), { timeoutMs: 20_000 })
  await eventually(async () => expect(await ends()).toBe('+Inf'))
  await worker.goesOn(20)
  await worker.nothingLost()
  // Its reason once, and a warning before.
  expect(worker.times(/does not take this process back/)).toBe(1)
  expect(worker.times(/ends soon/)).toBeGreaterThan(0)
})
