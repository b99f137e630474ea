import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export type SpawnedNats = AsyncDisposable & { readonly url: string; readonly hostPort: string }

/** A real nats-server on a free port, with JetStream unless `jetStream: false`; gone with its data at the end of the scope. */
export async function spawnNats(options: { config?: string; jetStream?: boolean } = {}): Promise<SpawnedNats> {
  const dir = await mkdtemp(join(tmpdir(), 'mesh-nats-'))
  await writeFile(join(dir, 'server.conf'), options.config ?? '')
  const args = ['-a', '127.0.0.1', '-p', '-1', '-c', join(dir, 'server.conf'), '--ports_file_dir', dir]
  if (options.jetStream !== false) args.push('-js', '-sd', join(dir, 'data'))
  const child = spawn(process.env['NATS_SERVER_BIN'] ?? 'nats-server', args, { stdio: 'ignore' })
  const hostPort = await portOf(child, dir)
  return {
    hostPort,
    url: `nats://${hostPort}`,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function portOf(child: ChildProcess, dir: string): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`)
    const file = (await readdir(dir)).find((name) => name.endsWith('.ports'))
    const text = file === undefined ? '' : await readFile(join(dir, file), 'utf8')
    if (text.includes('}')) {
      const { nats } = JSON.parse(text) as { nats: string[] }
      return new URL(nats[0] ?? '').host
    }
    await pause(20)
  }
  throw new Error('nats-server named no port within 10 s')
}
