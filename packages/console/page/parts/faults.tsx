import type { JSX } from 'preact'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { Problem } from './panels.tsx'
import { Text } from './text.tsx'

/** Why a payload was refused: all its faults, each with its place. */
export function PayloadRefused({ problem, what }: { problem: ProblemView; what: string }): JSX.Element {
  const { faults = [] } = problem
  if (faults.length === 0) return <Problem problem={problem} />
  return (
    <div class="panel problem" role="alert">
      <p class="problem-title">
        {what}: the payload does not fit its contract <code>{problem.code}</code>
      </p>
      <ul>
        {faults.map(({ field, message }) => (
          <li key={field + message}>
            <code>
              <Text>{field || 'the payload'}</Text>
            </code>{' '}
            <Text>{message}</Text>
          </li>
        ))}
      </ul>
    </div>
  )
}
