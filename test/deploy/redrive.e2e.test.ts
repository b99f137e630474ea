import { defineDeployment, type Workload } from '@malha/deployment'
import { afterEach, expect, it, vi } from 'vitest'
import { redriveUnderKills } from '../operate/poisoned.ts'
import { shopService } from '../operate/shop-service.ts'
import { deploymentUsers } from './users.ts'

afterEach(() => vi.unstubAllEnvs())

it('what failed is sent again once and done once by a service and an operator with generated rights, and nothing is refused', async () => {
  const workloads: Workload[] = [
    { name: 'shop', service: shopService(true), kind: 'Deployment', ports: {} },
    { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
  ]
  await using users = await deploymentUsers(defineDeployment({ name: 'shop', namespace: 'shop', workloads }))
  // The commands that the scenario runs are the operator's.
  for (const [name, value] of Object.entries(users.as('operator'))) vi.stubEnv(name, value)
  await redriveUnderKills({ orders: 120, seed: 11, kills: 1, users })
  expect(users.refusals).toEqual([])
})
