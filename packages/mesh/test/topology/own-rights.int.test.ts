import { eventually, freeze, testServer } from '@malha/testing'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { allows, ownRights } from '../../src/topology/own-rights.ts'

const config = `accounts { A { users: [
  { user: shop, password: a, permissions: { publish: ["order.placed", "$SYS.REQ.USER.INFO"] } }
] } }`

test('the server is asked for the rights of a user once a connection, unless somebody wants to know it anew', async () => {
  await using server = await testServer({ config })
  const nc = await connect({ servers: server.url, user: 'shop', pass: 'a', reconnectTimeWait: 10 })
  try {
    const connection = watchConnection(nc)
    const rights = ownRights(nc, connection)
    const asked = (): number => nc.stats().outMsgs
    const [first] = await Promise.all([rights.known(), rights.known()])
    expect([allows(first!, 'order.placed'), allows(first!, 'order.billed')]).toEqual([true, false])
    expect(asked()).toBe(1)
    await rights.ask()
    await rights.known()
    expect(asked()).toBe(2)
    let isBack = false
    connection.listen({ up: () => (isBack = true) })
    await nc.reconnect()
    await eventually(() => expect(isBack).toBe(true))
    await Promise.all([rights.known(), rights.known()])
    expect(asked()).toBe(3)
  } finally {
    await nc.close()
  }
})

test('while the server does not answer nothing is known, and it is asked again; one that never does is taken for one that does not tell', async () => {
  await using server = await testServer({ config })
  const nc = await connect({ servers: server.url, user: 'shop', pass: 'a' })
  try {
    const rights = ownRights(nc, watchConnection(nc))
    {
      using _ = await freeze(server)
      expect(await rights.known()).toBeUndefined()
    }
    expect((await rights.known())?.allow?.toSorted()).toEqual(['$SYS.REQ.USER.INFO', 'order.placed'])
    using _ = await freeze(server)
    expect([await rights.ask(), await rights.ask(), await rights.ask(), await rights.known()]).toEqual([
      undefined,
      undefined,
      {},
      {},
    ])
  } finally {
    await nc.close()
  }
})
