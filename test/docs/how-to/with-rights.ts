import { testServer, type TestServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/nats-core'
import { expect } from 'vitest'
import { fences, readText } from '../pages.ts'

/** The blocks of NATS configuration of a page, in their order. */
export const rightsOf = (page: string): string[] =>
  fences(readText(page)).flatMap(({ info, body }) => (info === 'conf' ? [body] : []))

/** A person or a program with rights that pages name. */
export type User = {
  /** What it may publish on, as pages write it. */
  publish: readonly string[]
  /** Beside an inbox of its own. */
  subscribe?: readonly string[]
}

export type WithRights = {
  users?: Readonly<Record<string, User>>
  /** What the service of the tutorial may publish on beside what its own page says. */
  welcome?: string
}

/** A server with the rights of the page "run on your own NATS", where `deployer` may do everything. */
export interface ServerWithRights extends TestServer {
  /** Environment of a process of that user. */
  as(user: string): Record<string, string>
}

export async function serverWithRights({ users = {}, welcome = '' }: WithRights = {}): Promise<ServerWithRights> {
  const [base] = rightsOf('docs/how-to/run-on-your-own-nats.md')
  const config = base!
    .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
    .replace('$WELCOME_PASSWORD', 'welcome-pw')
    .replace('"dlq.welcome_letter.>"', `"dlq.welcome_letter.>"\n${welcome}\n`)
    .replace('users: [', `users: [\n${Object.entries(users).map(userLine).join('\n')}\n`)
  const server = await testServer({ config })
  // Its properties say how it is now, and are not copied.
  return Object.assign(server, {
    as: (user: string) => ({
      NATS_URL: server.url,
      NATS_USER: user,
      NATS_PASSWORD: `${user}-pw`,
      NATS_INBOX_PREFIX: user === 'deployer' ? '_INBOX' : `_INBOX_${user}`,
    }),
  })
}

function userLine([name, { publish, subscribe = [] }]: [string, User]): string {
  const heard = [`_INBOX_${name}.>`, ...subscribe].map((subject) => JSON.stringify(subject)).join(', ')
  return `{ user: ${name}, password: ${name}-pw, permissions: {
    subscribe: { allow: [ ${heard} ] }, publish: { allow: [ ${publish.join('\n')} ] } } }`
}

/** Neither a consumer can be made on these streams nor anything of them be removed. */
export async function expectOnlooker(nats: NatsConnection, streams: readonly string[]): Promise<void> {
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: 1000 })
  for (const stream of streams) {
    await expect(jsm.consumers.add(stream, { name: 'mine' })).rejects.toThrow(/ermission/)
    await expect(jsm.streams.purge(stream)).rejects.toThrow(/ermission/)
  }
}
