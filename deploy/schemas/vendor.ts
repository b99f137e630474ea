/**
 * Writes the schemas beside it anew, but for those by hand: `node deploy/schemas/vendor.ts`. Needs Go, which checks what it downloads.
 * Of each definition only what a check needs is kept, and what a definition does not name is refused.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

type Schema = { [key: string]: unknown }
type Source = { file: string; module: string; read: (folder: string) => Record<string, Schema> }

/** Kept as they are, where they are read; the rest says something to people or to other tools. */
const KEYWORDS = (
  'type enum pattern format minimum maximum minLength maxLength minItems maxItems ' +
  'minProperties maxProperties required uniqueItems multipleOf $ref'
).split(' ')

/** By `<apiVersion>/<kind>`. */
const KUBERNETES: Readonly<Record<string, string>> = {
  'v1/Namespace': 'io.k8s.api.core.v1.Namespace',
  'v1/ServiceAccount': 'io.k8s.api.core.v1.ServiceAccount',
  'v1/ConfigMap': 'io.k8s.api.core.v1.ConfigMap',
  'v1/Secret': 'io.k8s.api.core.v1.Secret',
  'v1/Service': 'io.k8s.api.core.v1.Service',
  'v1/PersistentVolumeClaim': 'io.k8s.api.core.v1.PersistentVolumeClaim',
  'apps/v1/Deployment': 'io.k8s.api.apps.v1.Deployment',
  'apps/v1/StatefulSet': 'io.k8s.api.apps.v1.StatefulSet',
  'batch/v1/Job': 'io.k8s.api.batch.v1.Job',
  'batch/v1/CronJob': 'io.k8s.api.batch.v1.CronJob',
  'policy/v1/PodDisruptionBudget': 'io.k8s.api.policy.v1.PodDisruptionBudget',
  'networking.k8s.io/v1/NetworkPolicy': 'io.k8s.api.networking.v1.NetworkPolicy',
  'networking.k8s.io/v1/Ingress': 'io.k8s.api.networking.v1.Ingress',
  'rbac.authorization.k8s.io/v1/Role': 'io.k8s.api.rbac.v1.Role',
  'rbac.authorization.k8s.io/v1/RoleBinding': 'io.k8s.api.rbac.v1.RoleBinding',
  'rbac.authorization.k8s.io/v1/ClusterRole': 'io.k8s.api.rbac.v1.ClusterRole',
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': 'io.k8s.api.rbac.v1.ClusterRoleBinding',
}

const crds =
  (...files: string[]): Source['read'] =>
  (folder) =>
    Object.fromEntries(files.flatMap((file) => ofCrds(readFileSync(join(folder, file), 'utf8'))))

const MONITORING = 'example/prometheus-operator-crd/monitoring.coreos.com_'
const sources: readonly Source[] = [
  { file: 'kubernetes', module: 'k8s.io/kubernetes@v1.37.2', read: ofKubernetes },
  {
    file: 'keda',
    module: 'github.com/kedacore/keda/v2@v2.21.0',
    read: crds('config/crd/bases/keda.sh_scaledobjects.yaml', 'config/crd/bases/keda.sh_triggerauthentications.yaml'),
  },
  {
    file: 'gateway-api',
    module: 'sigs.k8s.io/gateway-api@v1.6.3',
    read: crds('config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'),
  },
  {
    file: 'prometheus-operator',
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    read: crds(`${MONITORING}podmonitors.yaml`, `${MONITORING}prometheusrules.yaml`),
  },
  {
    file: 'cert-manager',
    module: 'github.com/cert-manager/cert-manager@v1.21.2',
    read: crds('deploy/crds/cert-manager.io_certificates.yaml'),
  },
]

for (const { file, module, read } of sources) {
  const said = execFileSync('go', ['mod', 'download', '-json', module], { cwd: '/', encoding: 'utf8' })
  const { Dir, Sum } = JSON.parse(said) as { Dir: string; Sum: string }
  const text = JSON.stringify({ from: module, sum: Sum, schemas: read(Dir) }, null, 1)
  writeFileSync(join(import.meta.dirname, `${file}.json`), `${text}\n`)
}

function ofKubernetes(folder: string): Record<string, Schema> {
  const swagger = readFileSync(join(folder, 'api/openapi-spec/swagger.json'), 'utf8')
  const { definitions } = JSON.parse(swagger) as { definitions: Record<string, Schema> }
  const kept: Record<string, Schema> = {}
  const keep = (name: string): void => {
    if (kept[name]) return
    kept[name] = strict(definitions[name]!)
    for (const [, other] of JSON.stringify(kept[name]).matchAll(/#\/schemas\/([^"]+)"/g)) keep(other!)
  }
  for (const [kind, definition] of Object.entries(KUBERNETES)) {
    keep(definition)
    kept[kind] = { $ref: `#/schemas/${definition}` }
  }
  return kept
}

function ofCrds(text: string): [string, Schema][] {
  type Crd = {
    spec: { group: string; names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: Schema } }[] }
  }
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Crd | null)
    .filter((crd) => crd !== null)
    .flatMap(({ spec: { group, names, versions } }) =>
      versions.map(({ name, schema }): [string, Schema] => [
        `${group}/${name}/${names.kind}`,
        // Metadata is checked by the API server for every kind alike.
        strict({ ...schema.openAPIV3Schema, 'x-metadata': true }),
      ]),
    )
}

function strict(schema: Schema): Schema {
  const kept: Schema = Object.fromEntries(Object.entries(schema).filter(([key]) => KEYWORDS.includes(key)))
  if (typeof kept['$ref'] === 'string') return { $ref: kept['$ref'].replace('#/definitions/', '#/schemas/') }
  // A port or a quantity: a number or a text, whatever the definition says of its type.
  if (schema['x-kubernetes-int-or-string'] || kept['format'] === 'int-or-string') return { type: ['integer', 'string'] }
  if (typeof schema['description'] === 'string' && schema['description'].startsWith('Quantity is a fixed-point'))
    return { type: ['number', 'string'] }
  if (String(kept['format']).startsWith('int') || ['double', 'byte'].includes(String(kept['format'])))
    delete kept['format']
  const { items, properties, additionalProperties } = schema as Record<string, Schema | undefined>
  if (items) kept['items'] = strict(items)
  for (const one of ['oneOf', 'anyOf', 'allOf'])
    if (Array.isArray(schema[one])) kept[one] = (schema[one] as Schema[]).map(loose)
  if (schema['not']) kept['not'] = loose(schema['not'] as Schema)
  if (properties) {
    kept['properties'] = Object.fromEntries(
      Object.entries(properties).map(([key, one]) => [key, strict(one as Schema)]),
    )
    if (schema['x-metadata']) (kept['properties'] as Schema)['metadata'] = { type: 'object' }
    if (!schema['x-kubernetes-preserve-unknown-fields'] && !additionalProperties) kept['additionalProperties'] = false
  }
  if (typeof additionalProperties === 'object') kept['additionalProperties'] = strict(additionalProperties)
  return kept
}

/** Inside of `oneOf` and the like the fields are named elsewhere. */
function loose(schema: Schema): Schema {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => [...KEYWORDS, 'properties', 'not', 'oneOf', 'anyOf', 'allOf', 'items'].includes(key))
      .map(([key, value]) => {
        if (key === 'properties')
          return [key, Object.fromEntries(Object.entries(value as Schema).map(([k, v]) => [k, loose(v as Schema)]))]
        if (Array.isArray(value) && key.endsWith('Of')) return [key, value.map((one) => loose(one as Schema))]
        return [key, key === 'not' || key === 'items' ? loose(value as Schema) : value]
      }),
  )
}
