import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { findNatsServer } from '@malha/stack'

/** What a result was measured on; nothing that names the machine or whose it is. */
export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly platform: string
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    platform: `${platform()}-${arch()}`,
  }
}

/** Of everything that a figure may depend on. */
export async function theVersions(): Promise<Record<string, string>> {
  const mesh = new URL('../../packages/mesh/package.json', import.meta.url)
  const stack = new URL('../../packages/stack/package.json', import.meta.url)
  const [malha, clickhouse, jetstream, transport] = await Promise.all([
    versionIn(mesh),
    installed('chdb', stack),
    installed('@nats-io/jetstream', mesh),
    installed('@nats-io/transport-node', mesh),
  ])
  const { version } = await findNatsServer({})
  return {
    malha,
    node: process.version.slice(1),
    'nats-server': version,
    // The engine that the embedded ClickHouse is made of.
    clickhouse: `chdb ${clickhouse}`,
    '@nats-io/jetstream': jetstream,
    '@nats-io/transport-node': transport,
  }
}

/** The version of a package as the one whose manifest this is finds it. */
async function installed(name: string, manifest: URL): Promise<string> {
  for (const folder of createRequire(manifest).resolve.paths(name) ?? []) {
    const version = await versionIn(`${folder}/${name}/package.json`).catch(() => undefined)
    if (version !== undefined) return version
  }
  return 'not installed'
}

async function versionIn(manifest: URL | string): Promise<string> {
  const path = typeof manifest === 'string' ? manifest : fileURLToPath(manifest)
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version
}
