/**
 * Makes what compose.yaml needs and nobody else may know: a key for each user of NATS, passwords, and a token for the
 * console. What is there stays: run again, it adds what is missing.
 *   node deploy/compose/make-secrets.ts [folder]
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newToken } from '@malha/console'
import { nkeyVariable, SYSTEM, usersOf } from '@malha/deployment'
import { nkeys } from '@nats-io/transport-node'
import { deployment } from '../mesh.ts'

const users = [...usersOf(deployment), SYSTEM]

const folder = process.argv[2] ?? fileURLToPath(new URL('secrets/', import.meta.url))
// Nobody else of this machine gets in; the files themselves are read by the users of the containers.
mkdirSync(folder, { recursive: true, mode: 0o700 })

/** The text of a secret: as it is, or made now. */
function secret(name: string, make: () => string): string {
  const file = join(folder, name)
  if (!existsSync(file)) {
    writeFileSync(file, make(), { mode: 0o444 })
    process.stderr.write(`made ${file}\n`)
  }
  return readFileSync(file, 'utf8')
}

function derived(name: string, text: string): void {
  writeFileSync(join(folder, name), text, { mode: 0o644 })
}

const password = (): string => randomBytes(24).toString('base64url')
const seed = (): string => new TextDecoder().decode(nkeys.createUser().getSeed())
const publicKey = (text: string): string => nkeys.fromSeed(new TextEncoder().encode(text)).getPublicKey()

const keys = users.map((user) => [user, publicKey(secret(`nats-${user}.nk`, seed))] as const)
derived('nats.env', keys.map(([user, key]) => `${nkeyVariable(user)}=${key}\n`).join(''))

const clickhouse = createHash('sha256').update(secret('clickhouse-password', password)).digest('hex')
derived(
  'clickhouse-users.xml',
  `<clickhouse>
  <users>
    <default remove="remove"/>
    <malha>
      <password_sha256_hex>${clickhouse}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </malha>
  </users>
</clickhouse>
`,
)

secret('grafana-password', password)
secret('console-tokens', () => {
  const { token, line } = newToken('admin', 'admin')
  process.stderr.write(`The token of the console, which is nowhere else: ${token}\n`)
  return `${line}\n`
})
