import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CapacityPlan } from '@malha/deployment'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { createProgram } from '../../src/program.ts'

const LOAD = ['--events-per-second', '5', '--bytes', '2KiB', '--retention', '7d']

/** Runs `malha capacity`, and gives what it wrote to stdout and its exit code. */
async function capacity(...args: string[]): Promise<{ out: string; code: number }> {
  let out = ''
  using _stdout = vi.spyOn(process.stdout, 'write').mockImplementation((part) => ((out += String(part)), true))
  const program = await createProgram(['capacity'])
  await program.parseAsync(['capacity', ...args], { from: 'user' })
  const code = Number(process.exitCode ?? 0)
  process.exitCode = undefined
  return { out, code }
}

afterEach(() => void (process.exitCode = undefined))

test('what is said of a load arrives in the plan', async () => {
  const said =
    '--peak 3 --streams 2 --handlers 4 --handler-time 20ms --concurrency 32 --keys 10k --ordered --once 1 --inbox 2 --inbox-kept 2h --no-trace ' +
    '--dead-letters 0.1% --letters-kept 2d --delayed 1% --delay 5m --archive-retention 90d --compression 0.8 --replicas 5 ' +
    '--servers 7 --cores 1.5 --memory 4GiB --disk 1TB --network 1GB --archive-disk 2TiB --sync interval --json'
  const { out } = await capacity(...LOAD, ...said.split(' '))
  expect((JSON.parse(out) as CapacityPlan).load).toEqual({
    eventsPerSecond: 5,
    bytes: 2048,
    retentionMs: 604_800_000,
    peak: 3,
    streams: 2,
    handlers: 4,
    handlerMs: 20,
    concurrency: 32,
    keys: 10_000,
    ordered: true,
    onceHandlers: 1,
    inboxHandlers: 2,
    inboxKeptMs: 7_200_000,
    traced: false,
    deadLetterShare: 0.001,
    lettersKeptMs: 172_800_000,
    delayShare: 0.01,
    delayMs: 300_000,
    archiveMs: 7_776_000_000,
    compression: 0.8,
    replicas: 5,
    servers: 7,
    cores: 1.5,
    memoryBytes: 4 * 1024 ** 3,
    diskBytes: 1e12,
    networkBytesPerSecond: 1e9,
    archiveDiskBytes: 2 * 1024 ** 4,
    syncAlways: false,
  })
})

test('all that is wrong is said at once, by the names that were typed', async () => {
  const wrong = capacity('--bytes', '2 MB/s', '--retention', '7', '--peak', '0.5', '--replicas', '4', '--keys', 'many')
  await expect(wrong).rejects.toMatchObject({ code: 'CLI_INVALID_OPTION' })
  await expect(wrong).rejects.toThrow(
    [
      '6 options mean nothing:',
      '--events-per-second is missing; a number such as 200, 5k or 1.5M',
      '--bytes is "2 MB/s"; a size such as 512, 1.5KiB or 64kB',
      '--retention is "7"; a length such as 20ms, 90s, 2h or 7d',
      '--keys is "many"; a number such as 200, 5k or 1.5M',
      '--peak is 0.5; a number from 1 to 1000',
      '--replicas is 4; 1, 3 or 5',
    ].join('\n  - '),
  )
  await expect(capacity(...LOAD, '--replicas', '4')).rejects.toThrow('--replicas is 4; 1, 3 or 5')
})

test('exit code 3 and the names of the limits say that a load is not carried', async () => {
  const fits = await capacity(...LOAD)
  expect(fits.code).toBe(0)
  expect(fits.out).toMatch(/Met first: .+, at \d+(\.\d+)? × this load\./)
  const burst = await capacity(...LOAD, '--disk', '1GiB')
  expect(burst.code).toBe(3)
  expect(burst.out).toMatch(/Not carried: disk of a nats-server \(0\.\d+ ×\)/)
})

test('the table says where rates come from, and how to measure one’s own', async () => {
  const { out } = await capacity(...LOAD)
  expect(out).toContain('Rates were measured on 2 shared cores')
  expect(out).toContain('pass --constants capacity.json')
  expect(out).toMatch(/^\[1\] test\/capacity, \d{4}-\d\d-\d\d/m)
})

test('constants of one’s own are read from a file; what is none is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha-constants-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'capacity.json')
  const own = {
    measuredOn: '64 cores',
    constants: {
      archiveRate: { value: 9e6, unit: '/s', source: 'ours' },
      archiveRateKiB: { value: 9e6, unit: '/s', source: 'ours' },
    },
  }
  await writeFile(file, JSON.stringify(own))
  const { out } = await capacity(...LOAD, '--constants', file, '--json')
  const plan = JSON.parse(out) as CapacityPlan
  expect(plan.measuredOn).toBe('64 cores')
  expect(plan.limits.find(({ what }) => what.startsWith('archive'))?.most).toBeCloseTo(9e6, -2)
  await writeFile(file, '{')
  await expect(capacity(...LOAD, '--constants', file)).rejects.toThrow(
    'it is no JSON; node test/capacity/main.ts --out',
  )
  await writeFile(file, '{"constants":{"speed":{"value":1,"unit":"/s","source":"ours"}}}')
  await expect(capacity(...LOAD, '--constants', file)).rejects.toThrow('there is no "speed"; there are ')
  await expect(capacity(...LOAD, '--constants', join(folder, 'none'))).rejects.toThrow('it cannot be read')
})
