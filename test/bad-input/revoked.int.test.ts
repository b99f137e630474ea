import { serveHealth } from '@malha/telemetry'
import { eventually } from '@malha/testing'
import { nkeys } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import { type ChangingServer, changingServer } from '../certificates/changing-server.ts'
import { operatorOf } from '../certificates/operator.ts'
import { secretVolume } from '../certificates/secret-volume.ts'
import { underLoad } from './under-load.ts'

/** What a process shows, and how it comes to be worth nothing while it runs. */
type Credentials = {
  option: 'credsFile' | 'nkeySeedFile'
  server: ChangingServer
  /** What the file holds at first, and later. */
  first: string
  next: string
  readonly revoke: () => Promise<void>
  /** Of the file. */
  readonly said: (file: string) => string
}

async function userJwt(): Promise<Credentials> {
  const { config, account } = await operatorOf('own')
  const first = await account.creds('worker')
  const server = await changingServer(config)
  return {
    option: 'credsFile',
    server,
    first,
    next: await account.creds('worker'),
    revoke: async () => server.change(await account.revoking(first)),
    said: (file) =>
      `refused the credentials in ${file}. Those of user "worker" were issued by account ${account.id}: either they were revoked`,
  }
}

async function nkeyOfConfiguration(): Promise<Credentials> {
  const [first, next] = [nkeys.createUser(), nkeys.createUser()]
  const seedOf = (user: typeof first): string => new TextDecoder().decode(user.getSeed())
  const known = (...users: (typeof first)[]): string =>
    `authorization { users: [${users.map((user) => `{ nkey: ${user.getPublicKey()} }`).join(', ')}] }`
  const server = await changingServer(known(first, next))
  return {
    option: 'nkeySeedFile',
    server,
    first: seedOf(first),
    next: seedOf(next),
    revoke: () => server.change(known(next)),
    said: (file) => `refused the nkey ${first.getPublicKey()} whose seed is in ${file}. Check that`,
  }
}

it.concurrent.each([
  ['a JWT that its account revokes', userJwt],
  ['an nkey that is taken out of the configuration of the server', nkeyOfConfiguration],
])(
  '%s while a service runs is why it is not ready, and is logged once with what to do; with another one in its file it goes on, and nothing is lost or done twice',
  async (_, credentials) => {
    const { option, server, first, next, revoke, said } = await credentials()
    await using _server = server
    await using volume = await secretVolume({ user: first })
    const file = volume.path('user')
    await using worker = await underLoad({ servers: server.url, [option]: file })
    await using health = await serveHealth({ port: 0, mesh: worker.mesh })
    const ready = async (): Promise<[number, string]> => {
      const answer = await fetch(`http://127.0.0.1:${health.port}/readyz`)
      const { reasons } = (await answer.json()) as { reasons: string[] }
      return [answer.status, reasons.join('\n')]
    }
    await worker.goesOn(20)
    expect((await ready())[0]).toBe(200)

    await revoke()
    const reason = said(file)
    await eventually(async () => expect(await ready()).toEqual([503, expect.stringContaining(reason)]), {
      timeoutMs: 20_000,
    })
    await worker.cannotPublish()

    await volume.write({ user: next })
    await eventually(async () => expect((await ready())[0]).toBe(200), { timeoutMs: 20_000 })
    await worker.goesOn(20)
    await worker.nothingLost()
    const loud = worker.said.filter(({ level }) => level === 'error')
    expect(loud.map(({ fields }) => fields.err?.message)).toEqual([expect.stringContaining(reason)])
    expect(loud[0]!.fields.err!.message).toContain('into that file')
    const logged = JSON.stringify(worker.said.map(({ fields, message }) => [fields.err?.message, message]))
    for (const held of [first, next]) {
      const secrets = held.match(/^(?:S[A-Z2-7]{50,}|ey\S+)$/gm) ?? []
      expect(secrets).not.toEqual([])
      for (const secret of secrets) expect(logged).not.toContain(secret)
    }
  },
)
