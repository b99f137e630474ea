import { defineService, event, minutes, on, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { getStored } from '../../src/read/stored-message.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const due = event('job.due', { stream: jobs, schema: z.object({ id: z.string() }) })

afterEach(() => vi.restoreAllMocks())

test.each([-3_600_000, 3_600_000])(
  'a retry on the lane is due by the server’s clock, also where this process’s is an hour off (%i ms)',
  async (shiftMs) => {
    const realNow = Date.now
    await using env = await testMesh()
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + shiftMs)
    const slow = retry({ minDelayMs: minutes(10), maxDelayMs: minutes(10) })
    const work = on(due, { startFrom: 'all', retry: slow }, () => {
      throw new Error('not yet')
    })
    await env.mesh.start(defineService('worker', { handlers: { work } }))
    const before = realNow()
    await env.mesh.publish(due, { id: 'a' })
    const subject = `${env.mesh.names.subject('lane.worker.work')}.at.>`
    const copy = await eventually(async () => {
      const found = await getStored(env.nats, env.mesh.names.lanes('worker'), { seq: 1, next_by_subj: subject })
      expect(found).toBeDefined()
      return found!
    })
    const dueMs = Date.parse(copy.headers['nats-schedule']!.slice('@at '.length))
    const failedAt = Number(copy.headers['malha-first-failure-ms'])
    // Far wider than a test takes, far less than the clock is wrong.
    expect(Math.abs(failedAt - before)).toBeLessThan(minutes(5))
    expect(dueMs - failedAt).toBeGreaterThan(0)
    expect(dueMs - failedAt).toBeLessThan(minutes(15))
  },
)
