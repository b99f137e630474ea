import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import { findNatsServer } from '@malha/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readCompose, root } from './compose-file.ts'

const run = promisify(execFile)
const folder = `${root}deploy/compose/`

let at = ''
/** What it said when it made them. */
let said = ''

beforeAll(async () => {
  at = await mkdtemp(join(tmpdir(), 'malha-compose-'))
  said = await makeSecrets()
})

afterAll(() => rm(at, { recursive: true, force: true }))

async function makeSecrets(): Promise<string> {
  return (await run(process.execPath, [`${folder}make-secrets.ts`, join(at, 'secrets')])).stderr
}

async function contents(of: string): Promise<Record<string, string>> {
  const names = await readdir(of)
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(of, name), 'utf8')])),
  )
}

test('secrets are made once, for every service of compose.yaml, where nobody else of the machine gets in', async () => {
  const secrets = join(at, 'secrets')
  const made = await contents(secrets)
  expect((await stat(secrets)).mode & 0o777).toBe(0o700)

  const compose = readCompose()
  const mounts = Object.values(compose.services).flatMap(({ volumes = [], env_file = [] }) => [
    ...volumes.map((one) => one.split(':')[0]!),
    ...env_file,
  ])
  const files = [...Object.values(compose.secrets).map(({ file }) => file), ...mounts]
  const wanted = files.filter((file) => file.startsWith('./secrets/')).map((file) => basename(file))
  // The address of the webhook is one that somebody has.
  expect(wanted.filter((name) => !(name in made))).toEqual(['webhook-url'])

  expect(said).toMatch(/token of the console.+malha_[\w-]{32}$/m)
  expect(await makeSecrets()).toBe('')
  expect(await contents(secrets)).toEqual(made)
})

test('nats.conf is accepted by nats-server, prometheus.yml by promtool where there is one', async () => {
  await cp(`${folder}nats.conf`, join(at, 'nats.conf'))
  await cp(`${root}deploy/generated/nats/accounts.conf`, join(at, 'accounts.conf'))
  const { path } = await findNatsServer({})
  const { environment } = readCompose().services['nats']!
  const env = { ...environment, ...parseEnv(await readFile(join(at, 'secrets/nats.env'), 'utf8')) }
  const { stderr } = await run(path, ['-t', '-c', join(at, 'nats.conf')], { env })
  expect(stderr).toContain('is valid')

  const checked = run('promtool', ['check', 'config', `${folder}prometheus.yml`])
  const fault = await checked.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : error),
  )
  expect(fault).toBeUndefined()
})
