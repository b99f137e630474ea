import { centerStatus, providerCreated } from '@malha/contracts'
import { isReplyError } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { recife, register } from './http-client.ts'
import { runningApi } from './running-api.ts'

test('another service asks how far a centre is, and is told a centre that nobody registered', async () => {
  await using env = await testMesh()
  await using api = await runningApi(env)
  const asker = await env.connect({ name: 'billing' })
  const unknown: unknown = await asker
    .request(centerStatus, { centerId: 'ctr_nobody' })
    .catch((error: unknown) => error)
  expect(isReplyError(unknown, centerStatus) && unknown.data).toEqual({ centerId: 'ctr_nobody' })
  await expect(asker.request(centerStatus, { centerId: 'no centre' })).rejects.toThrow('MESH_INVALID_PAYLOAD')

  const { id } = (await register(api.url, recife)).body
  const pending = { senninha: 'pending', maas: 'pending', dmitri: 'pending' }
  await eventually(async () =>
    expect(await asker.request(centerStatus, { centerId: id })).toEqual({
      centerId: id,
      status: 'registered',
      partners: pending,
    }),
  )
  await env.mesh.publish(providerCreated, { centerId: id, system: 'maas', providerId: 'p-1' }, { once: true })
  await eventually(async () =>
    expect(await asker.request(centerStatus, { centerId: id })).toMatchObject({
      status: 'onboarding',
      partners: { ...pending, maas: 'done' },
    }),
  )
})
