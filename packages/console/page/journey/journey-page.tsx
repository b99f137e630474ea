import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { JourneyView } from '../../src/api/schemas/journey.ts'
import { useAnswer } from '../api/answers.ts'
import { FieldForm } from '../parts/field-form.tsx'
import { Empty, Loading, Missing, Problem, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { plural } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { Waterfall } from './waterfall.tsx'

/** Where a message is, why, and all that it led to. */
export function JourneyPage(): JSX.Element {
  const { query } = useLocation()
  const of = query['of'] ?? ''
  useTitle('Journey')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Journey</h1>
        <p class="lede">Where a message is, why, and all that it led to.</p>
      </div>
      <FieldForm
        label="Which message"
        path="/journey"
        fields={['of']}
        labels={{ of: 'Message id, correlation id, trace id or key' }}
        values={{ of }}
      />
      {of === '' ? <Empty title="Say which message." /> : <Found of={of} />}
    </>
  )
}

function Found({ of }: { of: string }): JSX.Element {
  const { data, problem, isLoading } = useAnswer<JourneyView>(`/journey?of=${encodeURIComponent(of)}`)
  if (problem) return <Problem problem={problem} />
  if (!data || isLoading) return <Loading what="what happened" />
  return (
    <>
      <p class={`headline ${data.answer.situation === 'done' ? 'good' : ''}`}>
        <Text>{data.answer.sentence}</Text>
        {data.answer.next && (
          <>
            <br />
            <span class="fix-label">Next:</span> <NextStep next={data.answer.next} />
          </>
        )}
      </p>
      {data.missing.map((what) => (
        <Missing key={what} what={what} />
      ))}
      {data.steps.length > 0 && (
        <Section title="Every hop" aside={<span class="aside">{plural(data.events, 'event')}</span>}>
          <Waterfall journey={data} />
        </Section>
      )}
    </>
  )
}

/** The command; of a letter the way to it. */
function NextStep({ next }: { next: string }): JSX.Element {
  const letter = /^malha dlq show (\d+)$/.exec(next)?.[1]
  return letter === undefined ? <code>{next}</code> : <a href={`/letters/${letter}`}>letter {letter}</a>
}
