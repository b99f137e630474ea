import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findKustomize } from '@malha/stack'
import { parse, parseAllDocuments } from 'yaml'
import { deployment } from './mesh.ts'
import { check, lineOf } from './policies/check.ts'
import { type Cluster, clusterOf, type OwnSecret, type Rendered } from './policies/cluster.ts'
import { schemaFaults } from './schemas/validate.ts'

/** What the kustomization of a folder makes: an object each. */
export async function render(folder: string): Promise<Rendered[]> {
  const kustomize = await findKustomize()
  return parseAllDocuments(await kustomize.render(folder)).map((document) => document.toJS() as Rendered)
}

/** What was rendered, with what is known beside it: the workloads, and the Secrets that people bring. */
export function clusterIn(overlay: string, objects: readonly Rendered[]): Cluster {
  const secrets = parse(readFileSync(join(import.meta.dirname, 'secrets.yaml'), 'utf8')) as OwnSecret[]
  return clusterOf(objects, { overlay, secrets, deployment })
}

/** All that is wrong with what was rendered, by schema and by rule: a line each, with what to do. */
export function faultsOf(overlay: string, objects: readonly Rendered[]): string[] {
  const { violations } = check(clusterIn(overlay, objects))
  return [...objects.flatMap(schemaFaults), ...violations.map(lineOf)]
}
