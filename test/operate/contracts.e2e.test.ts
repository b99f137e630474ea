import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openOperations } from '@malha/operations'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { billing, shop } from '../../packages/operations/test/contracts/some-services.ts'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const CONTRACTS = fileURLToPath(new URL('../../packages/operations/test/contracts/some-services.ts', import.meta.url))
const order = { orderId: 'o-1', total: 990, currency: 'BRL' }

type Ended = { code: number; stdout: string; stderr: string }

describe('malha', () => {
  let test: TestMesh
  let home = ''
  const malha = (args: string[], { stdin }: { stdin?: string } = {}): Promise<Ended> =>
    new Promise((resolve) => {
      // Connected by a context and nothing else, as somebody on call is.
      const env = { PATH: process.env['PATH'], HOME: home, MALHA_CONTEXT: 'here' }
      const child = execFile(process.execPath, [MAIN, ...args], { env, cwd: home }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
      )
      child.stdin?.end(stdin ?? '')
    })

  beforeAll(async () => {
    test = await testMesh()
    home = await mkdtemp(join(tmpdir(), 'malha-home-'))
    await mkdir(join(home, '.config/malha/context'), { recursive: true })
    const context = { url: test.url, namespace: test.namespace, description: 'of this test' }
    await writeFile(join(home, '.config/malha/context/here.json'), JSON.stringify(context))
    await test.mesh.start(billing)
    await test.mesh.start(shop)
    using operations = await openOperations(test.mesh)
    await eventually(async () => expect(await operations.contracts.services()).toHaveLength(2))
  })
  afterAll(async () => {
    await test[Symbol.asyncDispose]()
    await rm(home, { recursive: true, force: true })
  })

  it('publish stores what fits, tells every fault of what does not with 3, and takes the payload from standard input', async () => {
    const stored = await malha(['publish', 'order.placed', '--data', '-', '--id', 'hand-1', '--json'], {
      stdin: JSON.stringify(order),
    })
    expect(stored).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(stored.stdout)).toMatchObject({
      id: 'hand-1',
      key: 'o-1',
      seq: expect.any(Number),
      duplicate: false,
    })
    const [wrong, broken, unknown] = await Promise.all([
      malha(['publish', 'order.placed', '--data', '{"total":-1,"currency":"X"}', '--json']),
      malha(['publish', 'order.placed', '--data', '{"secret": hunter2}']),
      malha(['publish', 'order.placd', '--data', '{}']),
    ])
    expect(wrong).toMatchObject({ code: 3, stdout: '' })
    expect(wrong.stderr).toMatch(/OPERATIONS_PAYLOAD_REFUSED[^]*orderId[^]*currency[^]*total must be > 0/)
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringMatching(/--data is no JSON/) })
    expect(broken.stderr).not.toContain('hunter2')
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('they know invoice.issue, order.placed') })
  })

  it('publish takes a contract from a module too, with all that its code says', async () => {
    const parcel = ['publish', 'order.placed', '--contracts', CONTRACTS, '--dry-run', '--json', '--data']
    const [fits, not] = await Promise.all([
      malha([...parcel, JSON.stringify(order)]),
      malha([...parcel, JSON.stringify({ ...order, total: 0 })]),
    ])
    expect(JSON.parse(fits.stdout)).toMatchObject({ key: 'o-1', seq: null })
    expect(not).toMatchObject({ code: 3, stdout: '' })
  })

  it('describe writes the same document as YAML and as JSON', async () => {
    const [yaml, json] = await Promise.all([malha(['describe']), malha(['describe', '--json'])])
    expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout))
    expect(JSON.parse(json.stdout)).toMatchObject({
      asyncapi: '3.0.0',
      operations: { 'billing.bill': { action: 'receive' } },
    })
  })

  it('contracts check ends with 0 where they get along and 3 where not, against a file, git and the mesh', async () => {
    const snapshot = await malha(['contracts', 'snapshot', '--contracts', CONTRACTS])
    await writeFile(join(home, 'contracts.json'), snapshot.stdout)
    // Another total: what the old code reads is an integer.
    const changed = snapshot.stdout.replaceAll('"type": "integer"', '"type": "string"')
    await writeFile(join(home, 'other.json'), changed)
    const git = (...args: string[]): Promise<void> =>
      new Promise((resolve, reject) => {
        const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']
        execFile('git', [...who, ...args], { cwd: home }, (error) => (error ? reject(error) : resolve()))
      })
    await git('init', '--initial-branch=main')
    await git('add', 'other.json')
    await git('commit', '--message=released')
    const check = (...args: string[]): Promise<Ended> =>
      malha(['contracts', 'check', '--contracts', CONTRACTS, ...args])
    const [same, file, atGit, mesh] = await Promise.all([
      check(),
      check('--against', 'other.json', '--json'),
      check('--against', 'main:other.json'),
      check('--against', 'mesh', '--json'),
    ])
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining('they get along') })
    expect(file.code).toBe(3)
    expect(JSON.parse(file.stdout)).toMatchObject({
      compatible: false,
      incompatibilities: expect.arrayContaining([
        expect.objectContaining({
          contract: 'order.placed',
          direction: 'backward',
          path: 'total',
          against: 'other.json',
        }),
      ]),
    })
    expect(atGit).toMatchObject({ code: 3, stdout: expect.stringContaining('main:other.json') })
    expect(mesh).toMatchObject({ code: 0, stdout: '{"compatible":true,"incompatibilities":[]}\n' })
  })

  it('doctor ends with 0 while all is well, and context list names the connection without a secret', async () => {
    const [doctor, contexts, list] = await Promise.all([
      malha(['doctor', '--wait', '0.1', '--json']),
      malha(['context', 'list', '--json']),
      malha(['contracts', 'list']),
    ])
    expect(JSON.parse(doctor.stdout)).toMatchObject({ state: 'ok' })
    expect(doctor.code).toBe(0)
    expect(JSON.parse(contexts.stdout)).toMatchObject({ contexts: [{ name: 'here', namespace: test.namespace }] })
    expect(list.stdout).toMatch(/order\.placed.*\{orderId\}.*shop.*billing\.bill/)
  })

  it('completes commands, options and choices, and has the script by which a shell asks for them', async () => {
    const [script, commands, modes] = await Promise.all([
      malha(['completion', 'bash']),
      malha(['complete', '--', 'contracts', 'ch']),
      malha(['complete', '--', 'contracts', 'check', '--mode', '']),
    ])
    expect(script).toMatchObject({ code: 0, stdout: expect.stringContaining('malha complete -- ') })
    expect(commands.stdout).toMatch(/^check\t/m)
    expect(modes.stdout).toMatch(/^backward[^]*^forward[^]*^full/m)
  })
})
