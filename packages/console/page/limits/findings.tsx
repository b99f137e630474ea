import type { JSX } from 'preact'
import type { DiagnosisView } from '../../src/api/schemas/limits.ts'
import { refresh, useAnswer } from '../api/answers.ts'
import { Badge, Loading, Problem, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { plural, Time } from '../parts/time.tsx'

const KINDS = { ok: 'ok', warn: 'paused', fail: 'failed' } as const

/** What `malha doctor` finds: what is wrong first, each with what to do. */
export function Findings(): JSX.Element {
  const { data, problem } = useAnswer<DiagnosisView>('/doctor')
  const wrong = data?.findings.filter(({ state }) => state !== 'ok').toSorted((a, b) => (a.state < b.state ? -1 : 1))
  const well = data?.findings.filter(({ state }) => state === 'ok') ?? []
  return (
    <Section
      title="Doctor"
      aside={
        <span class="aside">
          {data && (
            <>
              looked at <Time at={data.at} />
            </>
          )}
          <button type="button" class="small" onClick={() => void refresh('/doctor')}>
            Look again
          </button>
        </span>
      }
    >
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="servers, streams, consumers and services" />}
      {wrong?.length === 0 && <p class="headline good">Nothing is wrong.</p>}
      {wrong && wrong.length > 0 && (
        <ul class="findings">
          {wrong.map((finding, at) => (
            <li key={at}>
              <Finding finding={finding} />
            </li>
          ))}
        </ul>
      )}
      {well.length > 0 && (
        <details>
          <summary>{plural(well.length, 'check')} found all well</summary>
          <ul class="findings">
            {well.map((finding, at) => (
              <li key={at}>
                <Finding finding={finding} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </Section>
  )
}

function Finding({
  finding: { state, check, about, what, fix },
}: {
  finding: DiagnosisView['findings'][number]
}): JSX.Element {
  return (
    <>
      <Badge kind={KINDS[state]}>{check}</Badge>{' '}
      <strong>
        <Text>{about}</Text>
      </strong>{' '}
      <Text>{what}</Text>
      {fix && (
        <p class="fix">
          <span class="fix-label">What to do:</span> <Text>{fix}</Text>
        </p>
      )}
    </>
  )
}
