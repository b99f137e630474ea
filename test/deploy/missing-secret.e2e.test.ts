import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deployment } from '@malha/deploy'
import { render } from '@malha/deploy/rendered'
import { spawnChild } from '@malha/stack'
import { testServer } from '@malha/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../docs/pages.ts'
import { inheritedEnv, mainOf } from '../reference/processes.ts'
import { type DeploymentUsers, deploymentUsers } from './users.ts'

const MOUNTED = '/var/run/secrets/malha/'
const CLI = join(root, 'packages/cli/src/main.ts')
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  provider: [mainOf('provider')],
  'distribution-center': [mainOf('distribution-center')],
  archive: [mainOf('archive')],
  console: [mainOf('console')],
  notifier: [CLI, 'notify'],
  provision: [CLI, 'provision', '--from', join(root, 'deploy/mesh.ts')],
}

type Settings = Readonly<Record<string, string>>
type Objects = Awaited<ReturnType<typeof render>>

let users: DeploymentUsers
const overlays = new Map<string, Objects>()
const opened = new AsyncDisposableStack()

beforeAll(async () => {
  users = opened.use(await deploymentUsers(deployment))
  for (const overlay of ['dev', 'staging']) overlays.set(overlay, await render(join(root, 'deploy/overlays', overlay)))
})
afterAll(() => opened.disposeAsync())

test.each([
  ['dev', 'provider', 'nats/nkey'],
  ['dev', 'distribution-center', 'nats/nkey'],
  ['dev', 'provision', 'nats/nkey'],
  ['dev', 'archive', 'clickhouse/password'],
  ['dev', 'console', 'tokens/tokens'],
  ['dev', 'notifier', 'webhook/url'],
  ['staging', 'provider', 'tls/ca.crt'],
])('with the settings of overlay %s, %s without its secret %s ends at its start and names the file', async (...of) => {
  const [overlay, workload, missing] = of
  const folder = await mkdtemp(join(tmpdir(), 'malha-secret-'))
  await using here = new AsyncDisposableStack()
  here.defer(() => rm(folder, { recursive: true, force: true }))
  const server = here.use(await testServer({ config: users.config }))
  const settings = settingsOf(overlays.get(overlay)!, workload)
  const files = Object.values(settings).filter((value) => value.startsWith(MOUNTED))
  expect(files).toContain(MOUNTED + missing)
  const local = (path: string): string => path.replace(MOUNTED, `${folder}/`)
  for (const file of files) {
    await mkdir(dirname(local(file)), { recursive: true })
    if (file !== MOUNTED + missing) await writeFile(local(file), file.endsWith('nkey') ? users.seedOf(workload) : 'x')
  }
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, local(value)]))
  const child = spawnChild({
    command: process.execPath,
    args: [...PROGRAMS[workload]!],
    env: {
      ...inheritedEnv(),
      ...env,
      NATS_URL: overlay === 'dev' ? server.url : env['NATS_URL'],
      HEALTH_PORT: '0',
      HTTP_PORT: '0',
      CONSOLE_PORT: '0',
      ...(env['MALHA_SPOOL_FILE'] && { MALHA_SPOOL_FILE: join(folder, 'spool.db') }),
    },
  })
  here.defer(async () => void (await child.stop({ graceMs: 0 })))
  expect((await child.exited).code).toBe(1)
  expect(child.tail.join('\n')).toContain(`${folder}/${missing}`)
})

/** The environment that a workload has in an overlay. */
function settingsOf(objects: Objects, workload: string): Settings {
  const [container] = objects.find(
    ({ kind, metadata }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind) && metadata.name === workload,
  )!['spec'].template.spec.containers
  const maps = (container.envFrom ?? []).map(
    ({ configMapRef }: { configMapRef: { name: string } }) =>
      objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name)!['data'],
  )
  // What a pod learns of itself is left out.
  const own = (container.env ?? []).flatMap(({ name, value }: { name: string; value?: string }) =>
    value === undefined ? [] : [[name, value]],
  )
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Settings
}
