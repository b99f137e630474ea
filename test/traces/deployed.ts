import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from '../docs/pages.ts'

/** Where the files of Jaeger are, by what it keeps spans in: one for all, and one for that. */
export const jaegerFiles = {
  'compose, memory': ['compose/jaeger/config.yaml', 'compose/jaeger/memory.yaml'],
  'compose, badger': ['compose/jaeger/config.yaml', 'compose/jaeger/badger.yaml'],
  'compose, clickhouse': ['compose/jaeger/config.yaml', 'compose/jaeger/clickhouse.yaml'],
  'Kubernetes, memory': ['components/jaeger/config.yaml', 'components/jaeger/storage.yaml'],
  'Kubernetes, badger': ['components/jaeger/config.yaml', 'components/jaeger-badger/storage.yaml'],
  'Kubernetes, clickhouse': ['components/jaeger/config.yaml', 'components/jaeger-clickhouse/storage.yaml'],
} as const
export type JaegerPlace = keyof typeof jaegerFiles
export const jaegerPlaces = Object.keys(jaegerFiles) as JaegerPlace[]
export const collectorFile = 'components/otel-collector/config.yaml'

export const deployFile = (path: string): string => join(root, 'deploy', path)
export const readDeployed = (path: string): string => readFileSync(deployFile(path), 'utf8')

type Tree = { [key: string]: unknown }

/** One configuration of several files, as a collector merges those of `--config`: maps by key, all else by the last. */
export function mergedConfig(paths: readonly string[]): Tree {
  return paths.map((path) => parse(readDeployed(path), { merge: true }) as Tree).reduce(merge, {})
}

function merge(before: Tree, after: Tree): Tree {
  const both = { ...before }
  for (const [key, value] of Object.entries(after))
    both[key] = isTree(value) && isTree(before[key]) ? merge(before[key], value) : value
  return both
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
