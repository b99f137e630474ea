import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { specification } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcomeSent } from '../src/contracts.ts'
import { welcome } from '../src/service.ts'

test('a printed letter is announced, under the message’s own idempotency key', async () => {
  const keys: unknown[] = []
  await using shop = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'])
    response.writeHead(201).end()
  }).listen(0, '127.0.0.1')
  await once(shop, 'listening')
  const { letter } = welcome(`http://127.0.0.1:${(shop.address() as AddressInfo).port}`).handlers
  await specification(letter)
    .given({ id: 'm-1' })
    .when({ centerId: 'c-1' })
    .then({ published: [[welcomeSent, { centerId: 'c-1' }]] })
  expect(keys).toEqual(['m-1'])
})
