import type { StandardSchemaV1 } from '@standard-schema/spec'
import { standardJsonSchema } from '../compatibility/snapshot.ts'
import { isObject } from '../compatibility/json-schema.ts'
import { type Redactor, redactorOf } from './redact.ts'

/** Of schemas whose data did not fit; those that fit never come here. */
const redactors = new WeakMap<StandardSchemaV1, Redactor>()

/** For data of a schema. Where its library gives no JSON Schema nothing is marked. */
export function redactorFor(schema: StandardSchemaV1): Redactor {
  let redactor = redactors.get(schema)
  if (!redactor) {
    redactor = redactorOf(schemasOf(schema))
    redactors.set(schema, redactor)
  }
  return redactor
}

function schemasOf(schema: StandardSchemaV1): Parameters<typeof redactorOf>[0] {
  try {
    return [standardJsonSchema(schema)]
  } catch {
    return []
  }
}

/**
 * What is wrong with data, as `path: what`, without what the schema marks as sensitive: some libraries repeat the value, and so
 * may a message of the user's. Hidden is what is said of a marked place or of one around it, and what has a marked value in it.
 */
export function issueWords(
  schema: StandardSchemaV1,
  data: unknown,
  issues: readonly StandardSchemaV1.Issue[],
): string[] {
  const redactor = redactorFor(schema)
  const secrets = redactor.isMarked ? secretsIn([...redactor.redact(data).hidden.values()]) : []
  return issues.map((issue) => {
    const path = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
    const steps = path.map((part) => (typeof part === 'number' ? part : String(part)))
    const words = steps.map((step) => (isSaid(String(step), secrets) ? '[redacted]' : String(step).slice(0, 64)))
    const isShown = redactor.at(steps) === 'shown' && !isSaid(issue.message, secrets)
    const place = words.length > 0 ? words.join('.') : '(the whole payload)'
    return `${place}: ${isShown ? issue.message.slice(0, 200) : 'is not as it should be (why is not said: it is sensitive)'}`
  })
}

/** Shorter ones are in every other word. */
const SHORTEST = 3
const MOST_SECRETS = 10_000

const isSaid = (text: string, secrets: readonly string[]): boolean => secrets.some((secret) => text.includes(secret))

function secretsIn(values: readonly unknown[]): string[] {
  const found: string[] = []
  const left = [...values]
  for (
    let value = left.pop();
    found.length < MOST_SECRETS && (value !== undefined || left.length > 0);
    value = left.pop()
  ) {
    if (Array.isArray(value)) left.push(...(value as unknown[]).slice(0, MOST_SECRETS))
    else if (isObject(value)) left.push(...Object.values(value).slice(0, MOST_SECRETS))
    else if (String(value).length >= SHORTEST) found.push(String(value))
  }
  return found
}
