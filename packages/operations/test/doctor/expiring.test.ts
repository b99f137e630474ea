import type { Expiring } from '@malha/mesh'
import { expect, it } from 'vitest'
import { expiringFindings } from '../../src/doctor/expiring.ts'

const now = new Date('2026-01-01T00:00:00Z')
const in_ = (days: number): Date => new Date(now.getTime() + days * 86_400_000)
const one = (kind: Expiring['kind'], days: number): Expiring => ({ kind, of: `the ${kind}`, endsAt: in_(days) })

it('what ends within a week is worth a look, what has ended is broken, each with what to do; of all else the first to end is named', () => {
  const found = [one('server_certificate', 6), one('client_certificate', 8), one('credentials', -1)]
  expect(expiringFindings(found, now)).toMatchObject([
    { state: 'fail', about: 'the credentials', what: expect.stringContaining('ended at 2025-12-31') },
    { state: 'warn', about: 'the server_certificate', fix: expect.stringContaining('--signal reload') },
  ])
  expect(expiringFindings([one('authority', 300), one('client_certificate', 8)], now)).toEqual([
    {
      check: 'certificates',
      state: 'ok',
      about: 'the client_certificate',
      what: 'the certificate that this user shows is the first to end, at 2026-01-09T00:00:00.000Z',
      fix: null,
    },
  ])
  expect(expiringFindings([], now)).toEqual([])
})
