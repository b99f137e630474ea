import { centerOnboarded } from '@malha/contracts'
import { defineService, on, Reject } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { lettersOf } from './read-letters.ts'

test('the letters of a handler are read as the page shows it, as often as one likes', async () => {
  await using fixture = await testMesh()
  const { mesh } = fixture
  const service = defineService('printer', {
    handlers: {
      refuse: on(centerOnboarded, { startFrom: 'all' }, ({ centerId }) => {
        throw new Reject(`no paper for ${centerId} — “none”`)
      }),
      accept: on(centerOnboarded, { startFrom: 'all' }, () => {}),
    },
  })
  await mesh.provision(service)
  for (const centerId of ['c-1', 'c-2']) await mesh.publish(centerOnboarded, { centerId }, { id: `m-${centerId}` })
  await using _running = await mesh.start(service)
  await eventually(async () => expect(await lettersOf(mesh, 'printer', 'refuse')).toHaveLength(2))
  const letters = await lettersOf(mesh, 'printer', 'refuse')
  expect(letters.map(({ id }) => id).sort()).toEqual(['m-c-1', 'm-c-2'])
  expect(letters.find(({ id }) => id === 'm-c-1')).toMatchObject({
    code: 'MESH_REJECTED',
    reason: expect.stringContaining('no paper for c-1 — “none”') as string,
    attempts: 1,
    payload: '{"centerId":"c-1"}',
  })
  expect(await lettersOf(mesh, 'printer', 'accept')).toEqual([])
})
