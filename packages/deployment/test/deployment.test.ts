import { defineService, event, on, stream } from '@malha/mesh'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineDeployment, type Deployment } from '../src/index.ts'

const service = defineService('orders', { handlers: {} })
const faultsOf = (given: unknown): string[] => {
  try {
    defineDeployment(given as Deployment)
  } catch (error) {
    return (error as Error).message.split('\n  - ').slice(1)
  }
  return []
}

it('takes a deployment of services and tools as it is', () => {
  const given: Deployment = {
    name: 'shop',
    namespace: 'shop',
    workloads: [
      { name: 'orders', service, kind: 'Deployment', ports: { health: 9090, http: 8080 }, calls: ['partners'] },
      { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
    ],
  }
  expect(defineDeployment(given)).toEqual(given)
})

it('refuses bad input with every fault at once', () => {
  const workloads = [
    { name: 'Orders', service, kind: 'Job', ports: { health: 80 }, scale: { most: 0 } },
    { name: 'twice', tool: 'archive', service, kind: 'Deployment', ports: { health: 9090, http: 9090 } },
    { name: 'viewer', tool: 'console', kind: 'Deployment', ports: {}, uses: { sendsEvents: 1, spool: true } },
    { name: 'twice', tool: 'cook', kind: 'CronJob', ports: { admin: 1 }, calls: ['friends'] },
    {
      name: 'provision',
      tool: 'provision',
      kind: 'Deployment',
      ports: {},
      uses: { spool: 1, asks: [service], eats: [] },
    },
    7,
  ]
  expect(faultsOf({ name: '-', namespace: 'shop', workloads })).toEqual([
    'name is "-"; a-z, 0-9 and -, beginning with a letter and not ending in -, 63 characters at most',
    'workload "Orders": its name takes a-z, 0-9 and -, beginning with a letter and not ending in -, 63 characters at most',
    'workload "Orders": a service does not end, so it is no Job',
    'workload "Orders": ports.health is 80; 1024 to 65535, as the process is nobody special',
    'workload "Orders": scale is an object; { most }, 1 to 1000 copies',
    'workload "Orders": it handles no messages, so nothing says when to scale it; leave scale out',
    'workload "Orders": only a Deployment is scaled',
    'workload "twice": it is either a service or a tool; give one of both',
    'workload "twice": ports.health and ports.http are both 9090',
    'workload "viewer": its name is that of a user for people (viewer, operator, admin, sys); take another',
    'workload "viewer": uses.sendsEvents is 1; a console has sendsEvents alone, true or false',
    'workload "viewer": uses.spool is true; a console has sendsEvents alone, true or false',
    'workload "twice": kind is "CronJob"; one of Deployment, StatefulSet, Job',
    'workload "twice": tool is "cook"; one of archive, console, notifier, provision',
    'workload "twice": ports.admin is unknown; there are health and http',
    'workload "twice": calls has "friends"; there are clickhouse, partners, issuer, webhooks',
    'workload "provision": provision ends when all is there; make it a Job',
    'workload "provision": uses is of services; a tool has what it needs',
    'workload "provision": uses.spool is 1; true or false',
    'workload "provision": uses.asks is a list of what request(…) returns',
    'workload "provision": uses.eats is unknown; there are asks, delays, reads and spool',
    'workload number 6: it is 7; an object',
    'two workloads have the name "twice"',
    'two workloads run the service "orders"; scale one',
  ])
})

it.each([undefined, null, [], { name: 'shop', namespace: 'shop', workloads: [] }, { workloads: 'all' }])(
  'refuses %j without a fault of the language',
  (given) => {
    expect(faultsOf(given).length).toBeGreaterThan(0)
  },
)

it('refuses more copies than find work, and says how many do', () => {
  const orders = stream('ORDERS', { subjects: ['order.>'] })
  const placed = event('order.placed', { stream: orders, schema: z.object({}) })
  const billing = defineService('billing', {
    handlers: { bill: on(placed, { concurrency: 16, startFrom: 'all' }, () => undefined) },
  })
  const of = (most: number): unknown =>
    defineDeployment({
      name: 'shop',
      namespace: 'shop',
      workloads: [{ name: 'billing', service: billing, kind: 'Deployment', ports: {}, scale: { most } }],
    })
  expect(of(125)).toBeDefined()
  expect(() => of(126)).toThrow(
    'workload "billing": scale.most is 126, and beyond 125 a copy idles (handler bill: 2000 in hand at most, 16 a copy); set it to 125 at most',
  )
})
