import type { JSX } from 'preact'
import type { Change } from '../../src/api/schemas/changes.ts'
import { Text } from '../parts/text.tsx'

const VERBS: Readonly<Record<string, string>> = {
  add: 'added',
  remove: 'removed',
  replace: 'changed',
  move: 'moved',
  copy: 'copied',
}

/** What a correction changes of a payload, place by place. */
export function Changes({ changes }: { changes: readonly Change[] }): JSX.Element {
  return (
    <ul class="changes">
      {changes.map(({ op, path, from, value }, at) => (
        <li key={at}>
          {VERBS[op] ?? op}{' '}
          <code>
            <Text>{path || 'the whole'}</Text>
          </code>
          {from !== undefined && (
            <>
              {' '}
              from{' '}
              <code>
                <Text>{from}</Text>
              </code>
            </>
          )}
          {value !== undefined && (
            <>
              {op === 'replace' ? ' to ' : ': '}
              <code>
                <Text>{value}</Text>
              </code>
            </>
          )}
        </li>
      ))}
    </ul>
  )
}
