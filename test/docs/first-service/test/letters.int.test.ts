import { centerOnboarded } from '@malha/contracts'
import { Reject } from '@malha/mesh'
import { eventually, specification, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { printShop } from '../../print-shop-server.ts'
import { welcomeSent } from '../src/contracts.ts'
import { welcome } from '../src/service.ts'

// #region specification
test('a printed letter is announced, under the message’s own idempotency key', async () => {
  await using shop = await printShop(() => 201)
  const { letter } = welcome(shop.url).handlers
  await specification(letter)
    .given({ id: 'm-1' })
    .when({ centerId: 'c-1' })
    .then({ published: [[welcomeSent, { centerId: 'c-1' }]] })
  expect(shop.keys).toEqual(['m-1'])
})
// #endregion

// #region test-mesh
test('a letter is printed for a centre that was onboarded before the service came', async () => {
  await using shop = await printShop(() => 201)
  await using t = await testMesh()
  const service = welcome(shop.url)
  await t.mesh.provision(service)
  const { id } = await t.mesh.publish(centerOnboarded, { centerId: 'c-1' })
  await using _running = await t.mesh.start(service)
  await eventually(() => expect(shop.keys).toEqual([id]))
})
// #endregion

test('an answer that can never succeed is a dead letter', async () => {
  await using shop = await printShop(() => 422)
  await specification(welcome(shop.url).handlers['letter']).when({ centerId: 'c-1' }).then({ error: Reject })
  expect(shop.keys).toHaveLength(1)
})
