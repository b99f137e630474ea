import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import type { Rendered } from '../policies/cluster.ts'
import { titleOf } from '../policies/cluster.ts'

type File = { from: string; schemas: Record<string, object> }

/** What is wrong with an object by the schema of its kind: a line each. A field that the schema does not name is wrong. */
export function schemaFaults(object: Rendered): string[] {
  const kind = `${object.apiVersion}/${object.kind}`
  const file = fileOf.get(kind)
  if (file === undefined)
    return [`${titleOf(object)}: there is no schema for ${kind}; add its source to deploy/schemas/vendor.ts`]
  const validate = ajv.getSchema(`${file}#/schemas/${kind.replaceAll('/', '~1')}`)
  if (!validate) throw new Error(`the schema of ${kind} in deploy/schemas/${file}.json cannot be read`)
  if (validate(object)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const what = (params as { additionalProperty?: string }).additionalProperty
    return `${titleOf(object)}: ${instancePath || '/'} ${what === undefined ? message : `has ${what}, which is unknown there`}`
  })
}

// Formats say of Kubernetes something else than of JSON Schema: a duration is one of Go's.
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, unicodeRegExp: false })
/** Patterns are Go's: one that ignores case from its middle on says so in another way. */
const inJavaScript = (key: string, value: unknown): unknown =>
  key === 'pattern' && typeof value === 'string' ? value.replace(/\(\?i\)(.*?)(\$?)$/, '(?i:$1)$2') : value

const fileOf = new Map<string, string>()
for (const name of readdirSync(import.meta.dirname).filter((file) => file.endsWith('.json'))) {
  const { schemas } = JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8'), inJavaScript) as File
  const id = name.slice(0, -'.json'.length)
  ajv.addSchema({ schemas }, id)
  for (const kind of Object.keys(schemas)) if (/^[^/]+(\/[^/]+){1,2}$/.test(kind)) fileOf.set(kind, id)
}
