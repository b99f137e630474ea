import type { JSX } from 'preact'
import { Text } from '../parts/text.tsx'
import type { Schema } from './schema.ts'

/** What a schema says of a value, to people. */
export function Hint({ schema }: { schema: Schema }): JSX.Element | null {
  const { description, format, pattern } = schema
  const said = [description, format, typeof pattern === 'string' && !format ? `fits ${pattern}` : undefined]
  const words = said.filter((one): one is string => typeof one === 'string')
  if (words.length === 0) return null
  return (
    <p class="hint whole">
      <Text>{words.join(' · ').slice(0, 300)}</Text>
    </p>
  )
}
