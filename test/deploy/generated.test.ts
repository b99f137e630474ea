import { join } from 'node:path'
import { deployment } from '@malha/deploy'
import { differences, generate } from '@malha/deployment'
import { expect, it } from 'vitest'
import { root } from '../docs/pages.ts'

it('what is generated is what the services say now (after a change: malha deploy generate)', async () => {
  expect(await differences(join(root, 'deploy/generated'), generate(deployment))).toEqual([])
})
