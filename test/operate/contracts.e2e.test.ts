import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { contractsSnapshot } from '@malha/mesh'
import { openOperations, type Operations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { billing, placed, shop } from '../../packages/operations/test/contracts/some-services.ts'
import { type DeployedServer, deployedServer } from '../deploy/deployed-server.ts'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const CONTRACTS = fileURLToPath(new URL('../../packages/operations/test/contracts/some-services.ts', import.meta.url))
const REFERENCE = fileURLToPath(new URL('../../packages/services/contracts', import.meta.url))
const order = { orderId: 'o-1', total: 990, currency: 'BRL' }

type Ended = { code: number; stdout: string; stderr: string }

describe('malha', () => {
  let server: DeployedServer
  let operations: Operations
  let home = ''
  const malha = (args: string[], { stdin, as = 'viewer' }: { stdin?: string; as?: string } = {}): Promise<Ended> =>
    new Promise((resolve) => {
      // Connected by a context and nothing else, as somebody on call is.
      const { PATH, NODE_COMPILE_CACHE } = process.env
      const env = { PATH, NODE_COMPILE_CACHE, HOME: home, MALHA_CONTEXT: as }
      const child = execFile(process.execPath, [MAIN, ...args], { env, cwd: home }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
      )
      child.stdin?.end(stdin ?? '')
    })

  beforeAll(async () => {
    server = await deployedServer([billing, shop])
    home = await mkdtemp(join(tmpdir(), 'malha-home-'))
    await mkdir(join(home, '.config/malha/context'), { recursive: true })
    for (const user of ['admin', 'viewer']) await writeContext(user)
    await writeFile(join(home, '.config/malha/context/$(id).json'), '{}')
    for (const service of [billing, shop]) await (await server.connect(service.name)).start(service)
    operations = await openOperations(await server.connect('viewer', { topology: 'none' }))
    await untilSaid(operations, 2)
  })
  afterAll(async () => {
    operations[Symbol.dispose]()
    await server[Symbol.asyncDispose]()
    await rm(home, { recursive: true, force: true })
  })

  it('publish stores what fits, tells every fault of what does not with 3, and repeats no payload', async () => {
    const stored = await malha(['publish', 'order.placed', '--data', '-', '--id', 'hand-1', '--who', 'ana', '--json'], {
      stdin: JSON.stringify(order),
      as: 'admin',
    })
    expect(stored).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(stored.stdout)).toMatchObject({ id: 'hand-1', key: 'o-1', seq: expect.any(Number) })
    const parcel = ['publish', 'order.placed', '--contracts', CONTRACTS, '--dry-run', '--data']
    const [wrong, broken, byModule] = await Promise.all([
      malha(['publish', 'order.placed', '--data', '{"total":-1,"currency":"X"}', '--json'], { as: 'admin' }),
      malha(['publish', 'order.placed', '--data', '{"secret": hunter2}'], { as: 'admin' }),
      malha([...parcel, JSON.stringify({ ...order, total: 0 })]),
    ])
    expect(wrong).toMatchObject({ code: 3, stdout: '' })
    expect(wrong.stderr).toMatch(/OPERATIONS_PAYLOAD_REFUSED[^]*orderId[^]*currency[^]*total must be > 0/)
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringMatching(/--data is no JSON/) })
    expect(broken.stderr).not.toContain('hunter2')
    expect(byModule).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('total') })
  })

  it('describe writes the document as YAML', async () => {
    const { code, stdout } = await malha(['describe'])
    expect(code).toBe(0)
    expect(parse(stdout)).toEqual(await operations.contracts.describe())
  })

  it('contracts check ends with 0 where they get along and 3 where not, against a file, git and the mesh', async () => {
    const snapshot = JSON.stringify(contractsSnapshot([placed]))
    await writeFile(join(home, 'contracts.json'), snapshot)
    // Another total: what the old code wrote is text.
    await writeFile(join(home, 'other.json'), snapshot.replaceAll('"type":"integer"', '"type":"string"'))
    await git('init', '--initial-branch=main')
    await git('add', 'other.json')
    await git('commit', '--message=released')
    await mkdir(join(home, 'node_modules/@malha'), { recursive: true })
    await symlink(REFERENCE, join(home, 'node_modules/@malha/contracts'))
    const check = (...args: string[]): Promise<Ended> =>
      malha(['contracts', 'check', '--contracts', CONTRACTS, ...args])
    const [same, atGit, mesh, byName] = await Promise.all([
      check(),
      check('--against', 'main:other.json', '--json'),
      check('--against', 'mesh', '--json'),
      malha(['contracts', 'snapshot', '--contracts', '@malha/contracts', '--json']),
    ])
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining('they get along') })
    expect(atGit.code).toBe(3)
    const clash = { contract: 'order.placed', direction: 'backward', path: 'total', against: 'main:other.json' }
    const incompatibilities = expect.arrayContaining([expect.objectContaining(clash)])
    expect(JSON.parse(atGit.stdout)).toMatchObject({ compatible: false, incompatibilities })
    expect(mesh).toMatchObject({ code: 0, stdout: '{"compatible":true,"incompatibilities":[]}\n' })
    expect(JSON.parse(byName.stdout)).toMatchObject({ malha: 'contracts', contracts: expect.any(Array) })
  })

  it('doctor ends with 0 while all is well, and context list names the connection', async () => {
    const [doctor, contexts] = await Promise.all([
      malha(['doctor', '--wait', '0.1', '--json']),
      malha(['context', 'list', '--json']),
    ])
    expect(JSON.parse(doctor.stdout)).toMatchObject({ state: 'ok' })
    expect(doctor.code).toBe(0)
    expect(JSON.parse(contexts.stdout)).toMatchObject({
      contexts: [{}, { name: 'admin' }, { name: 'viewer', by: expect.stringMatching(/^nkey .*viewer\.nk$/) }],
    })
  })

  it('completes choices and contexts, and has the script by which a shell asks for them', async () => {
    const [script, modes, contexts] = await Promise.all([
      malha(['completion', 'bash']),
      malha(['complete', '--', 'contracts', 'check', '--mode', '']),
      malha(['complete', '--', 'doctor', '--context', '']),
    ])
    expect(script).toMatchObject({ code: 0, stdout: expect.stringContaining('malha complete -- ') })
    expect(modes.stdout).toMatch(/^backward[^]*^forward[^]*^full/m)
    expect(contexts.stdout).toMatch(/^viewer\tof this test$/m)
    // A shell would run it.
    expect(contexts.stdout).not.toContain('$(')
  })

  function writeContext(user: string): Promise<void> {
    const env = server.as(user)
    const context = {
      url: server.url,
      nkey: env['NATS_NKEY_SEED_FILE'],
      inbox_prefix: env['NATS_INBOX_PREFIX'],
      description: 'of this test',
    }
    return writeFile(join(home, `.config/malha/context/${user}.json`), JSON.stringify(context))
  }

  function git(...args: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']
      execFile('git', [...who, ...args], { cwd: home }, (error) => (error ? reject(error) : resolve()))
    })
  }
})

async function untilSaid({ contracts }: Operations, services: number): Promise<void> {
  await eventually(async () => expect(await contracts.services()).toHaveLength(services))
}
