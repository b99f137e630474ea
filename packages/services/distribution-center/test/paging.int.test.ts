import { providerCreated } from '@malha/contracts'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { ask, kindOf, recife, register, type CenterPage } from './http-client.ts'
import { runningApi } from './running-api.ts'

const page = (api: string, query: string) => ask<CenterPage>(`${api}/centers?${query}`)

/** All pages, by `next`. */
async function walk(api: string, query: string, from = ''): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = []
  for (let pages = 1, after = from; ; pages++) {
    const { body } = await page(api, `${query}${after && `&after=${after}`}`)
    ids.push(...body.centers.map(({ id }) => id))
    if (body.next === null) return { ids, pages }
    after = body.next
  }
}

test('pages hold every centre once and in one order, also while others are registered and change', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const empty = await page(api.url, 'limit=3')
  expect(empty.body).toMatchObject({ centers: [], next: null })
  const ids: string[] = []
  for (let index = 0; index < 8; index++) {
    const { body } = await register(api.url, { ...recife, name: `Centre ${index}` })
    ids.push(body.id)
    await eventually(async () => (await page(api.url, 'limit=200')).body.centers.length === index + 1)
  }
  expect(await walk(api.url, 'limit=3')).toStrictEqual({ ids, pages: 3 })
  expect(await walk(api.url, 'limit=4')).toStrictEqual({ ids, pages: 2 })
  expect(await walk(api.url, 'limit=8')).toStrictEqual({ ids, pages: 1 })

  const [first, second] = ids as [string, string]
  const half = await page(api.url, 'limit=2')
  expect(half.body.next).toBe(second)
  await broker.mesh.publish(providerCreated, { centerId: first, system: 'maas', providerId: 'm' }, { once: true })
  await eventually(async () => (await page(api.url, 'status=onboarding')).body.centers.length === 1)
  expect((await walk(api.url, 'limit=2', second)).ids).toStrictEqual(ids.slice(2))

  expect(await walk(api.url, 'limit=3&status=registered')).toStrictEqual({ ids: ids.slice(1), pages: 3 })
  expect(await walk(api.url, 'status=onboarding')).toStrictEqual({ ids: [first], pages: 1 })
  expect(await walk(api.url, 'status=failed')).toStrictEqual({ ids: [], pages: 1 })
})

test('a page that begins after no centre is 400', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const answer = await page(api.url, 'after=ctr_unknown')
  expect([answer.status, kindOf(answer)]).toStrictEqual([400, 'invalid-request'])
})
