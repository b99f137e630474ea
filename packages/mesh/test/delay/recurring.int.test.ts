import { defineService, on } from '@malha/mesh'
import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { reportDue } from './fixture.ts'

type Seen = { id: string; of: string; headers: Readonly<Record<string, string>> }

async function recorder({ mesh }: TestMesh): Promise<Seen[]> {
  const seen: Seen[] = []
  const service = defineService('reports', {
    handlers: {
      make: on(reportDue, { startFrom: 'all' }, ({ of }, { id, headers }) => void seen.push({ id, of, headers })),
    },
  })
  await mesh.start(service)
  return seen
}

test('a recurring event comes again and again, each time as an event of its own, until it is ended', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const seen = await recorder(env)
  const made = await mesh.schedule(reportDue, { of: 'a' }, { name: 'every second', everyMs: 1000 })
  expect(made).toMatchObject({ name: 'every second', stream: mesh.names.delays(), changed: true })
  await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(3))
  expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length)
  for (const { id, headers } of seen) {
    expect(headers).toMatchObject({ 'ce-id': id, 'ce-correlationid': id, 'malha-schedule': 'every%20second' })
    expect(headers['ce-time']).toBe(headers['malha-due'])
    expect(Date.parse(headers['malha-next']!)).toBeGreaterThan(Date.parse(headers['malha-due']!))
  }
  const dues = seen.map(({ headers }) => headers['malha-due']!)
  expect(dues).toEqual([...new Set(dues)].toSorted((a, b) => Date.parse(a) - Date.parse(b)))
  expect(await mesh.unschedule(reportDue, 'every second')).toBe(true)
  expect(await mesh.unschedule(reportDue, 'every second')).toBe(false)
  // What was on its way may still come; then it is over.
  await mesh.schedule(reportDue, { of: 'b' }, { name: 'b', everyMs: 3000 })
  await eventually(() => expect(seen.at(-1)!.of).toBe('b'))
  const ofA = seen.filter(({ of }) => of === 'a').length
  await eventually(() => expect(seen.filter(({ of }) => of === 'b')).toHaveLength(2))
  expect(seen.filter(({ of }) => of === 'a')).toHaveLength(ofA)
})

test('the same schedule again goes on undisturbed, whoever asks; another one under its name takes its place', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const seen = await recorder(env)
  await using other = await env.connect({ name: 'another instance' })
  const hourly = { name: 'r', cron: '@hourly' }
  const both = await Promise.all([
    mesh.schedule(reportDue, { of: 'a' }, hourly),
    other.schedule(reportDue, { of: 'a' }, hourly),
  ])
  expect(both.filter(({ changed }) => changed)).toHaveLength(1)
  expect(await other.schedule(reportDue, { of: 'a' }, hourly)).toMatchObject({ changed: false, seq: both[0].seq })
  expect(await mesh.schedule(reportDue, { of: 'b' }, hourly)).toMatchObject({ changed: true })
  expect(await mesh.schedule(reportDue, { of: 'b' }, { name: 'r', everyMs: 1000 })).toMatchObject({ changed: true })
  await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(1))
  expect(seen[0]!.of).toBe('b')
  expect(await mesh.delayed(reportDue)).toMatchObject([{ kind: 'recurring', name: 'r', schedule: '@every 1s' }])
})

/** What a clock in `zone` shows at a time: fields by name. */
function wallClock(zone: string, at: Date): Record<string, number> {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
}

test('a recurring event keeps its hour of the day over a change of summer time', async () => {
  const zone = 'America/New_York'
  await using env = await testMesh()
  const seen = await recorder(env)
  // Now, and on the same day of a month whose summer time is the other one. Both months have 31 days.
  const first = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3000)
  const { month, day, hour, minute, second } = wallClock(zone, first)
  const isSummer = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'short' })
    .format(first)
    .endsWith('EDT')
  const otherMonth = isSummer ? 1 : 7
  const cron = `${second} ${minute} ${hour} ${day} ${month},${otherMonth} *`
  await env.mesh.schedule(reportDue, { of: 'dst' }, { name: 'dst', cron, timeZone: zone })
  await eventually(() => expect(seen).toHaveLength(1))
  expect(seen[0]!.headers['malha-due']).toBe(first.toISOString())
  const next = new Date(seen[0]!.headers['malha-next']!)
  expect(wallClock(zone, next)).toMatchObject({
    month: otherMonth,
    day: day!,
    hour: hour!,
    minute: minute!,
    second: second!,
  })
  // By UTC it is another hour of the day.
  expect((next.getTime() - first.getTime()) % 86_400_000).not.toBe(0)
})

test('five fields of cron are minutes and up', async () => {
  await using env = await testMesh()
  await recorder(env)
  await env.mesh.schedule(
    reportDue,
    { of: 'x' },
    { name: 'nightly', cron: '30 2 * * MON-FRI', timeZone: 'europe/lisbon' },
  )
  expect(await env.mesh.delayed()).toMatchObject([
    { type: 'order.report-due', schedule: '0 30 2 * * MON-FRI', timeZone: 'Europe/Lisbon' },
  ])
})

test('a pattern the server does not take is refused with what it should be', async () => {
  await using env = await testMesh()
  await recorder(env)
  for (const cron of ['61 * * * *', '0 0 30 2 *', '* * * * 9', '1-x * * * *'])
    await expect(env.mesh.schedule(reportDue, { of: 'x' }, { name: 'n', cron })).rejects.toMatchObject({
      code: 'MESH_INVALID_DELAY',
      message: expect.stringContaining('the server takes no pattern') as string,
    })
  expect(await env.mesh.delayed()).toEqual([])
})
