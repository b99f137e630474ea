import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Deployment, type LocalUsers, localUsers } from '@malha/deployment'
import type { NatsConnection } from '@nats-io/transport-node'

/** A right that is missing is refused with each message. */
const MOST_SHOWN = 20
/** As nats-server 2.15 says it: `… - "ACCOUNT/nkey:U…" - Publish Violation - Subject "…"`. */
const WHO = /^.*nkey:([^"]+)" - /

/**
 * The users of a deployment as generated, each with a key of its own. A test looks and prepares as `admin`; nothing that is
 * tested is `admin`, unless the test says so.
 */
export interface DeploymentUsers extends AsyncDisposable, Pick<LocalUsers, 'authenticatorOf' | 'mesh'> {
  /** Of nats-server. */
  readonly config: string
  /** Environment of a process of that user. */
  readonly as: (user: string) => Record<string, string>
  /** The secret half of a user's key. */
  seedOf(user: string): Buffer
  /** What a server that `onLine` hears refused to whom, such as `provider: Publish Violation - Subject "x"`. */
  readonly refusals: readonly string[]
  /** @throws Error that names each */
  assertNoneRefused(): void
  /** Hears the server's log. */
  readonly onLine: (line: string) => void
  /** Makes all that a deployment needs, as its user `provision`: streams, buckets, durables. */
  readonly prepare: LocalUsers['provision']
  /** A connection with nothing of the mesh in between. */
  connect(user: string, url: string): Promise<NatsConnection>
}

/** @param without A right that is left out. */
export async function deploymentUsers(deployment: Deployment, without?: string): Promise<DeploymentUsers> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-users-'))
  const { config, envOf, userOf, ...own } = await localUsers(deployment, { folder, maxFile: '900GB' })
  const seedOf = (user: string): Buffer => readFileSync(envOf(user)['NATS_NKEY_SEED_FILE']!)
  const refusals: string[] = []
  return {
    config: without === undefined ? config : config.replaceAll(JSON.stringify(without), ''),
    as: envOf,
    authenticatorOf: own.authenticatorOf,
    seedOf,
    refusals,
    onLine(line) {
      if (!/violation|authenticat|authoriz/i.test(line)) return
      const named = line.replaceAll(/\bU[A-Z2-7]{55}\b/g, (key) => userOf(key) ?? key)
      refusals.push(named.replace(WHO, '$1: '))
    },
    assertNoneRefused() {
      if (refusals.length === 0) return
      const all = [...new Set(refusals)]
      const why = `the server refused what users need:\n${all.slice(0, MOST_SHOWN).join('\n')}`
      // Where a test failed before, because of it, that is what is shown.
      console.error(why)
      throw new Error(why)
    },
    mesh: own.mesh,
    prepare: own.provision,
    connect: (user, url) => own.connect(user, url, { reconnect: false }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
