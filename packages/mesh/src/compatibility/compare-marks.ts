import { markedPlaces } from '../redaction/marked-places.ts'
import { redactorOf } from '../redaction/redact.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Finding } from './place.ts'

/**
 * What was marked as sensitive and is not any more, or is gone: payloads that are stored have it, and it would be shown from
 * then on. In a schema that still marks something, what is gone stays hidden.
 */
export function compareMarks(before: JsonSchema, after: JsonSchema): Finding[] {
  const now = redactorOf([after])
  return markedPlaces(before)
    .filter((place) => now.at(place) !== 'hidden')
    .map((place) => ({
      path: pathOf(place),
      what: 'it was sensitive and is not any more: it is shown from then on, in older ones too; keep it marked, as an optional one where nobody writes it any more',
    }))
}

const pathOf = (steps: readonly (string | number)[]): string =>
  steps.reduce<string>(
    (path, step) => (typeof step === 'number' ? `${path}[]` : path === '' ? step : `${path}.${step}`),
    '',
  )
