import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { JourneyView } from '../../src/api/schemas/journey.ts'
import { useAnswer } from '../api/answers.ts'
import { session } from '../api/session.ts'
import { FieldForm } from '../parts/field-form.tsx'
import { Badge, Empty, Loading, Problem, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'

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
            <span class="fix-label">Next:</span> <code>{data.answer.next}</code>
          </>
        )}
      </p>
      {data.missing.map((what) => (
        <p key={what} class="banner" role="status">
          Not looked at: <Text>{what}</Text>
        </p>
      ))}
      {data.steps.length > 0 && (
        <Section title="Every hop" aside={<span class="aside">{plural(data.events, 'event')}</span>}>
          <ol class="steps">
            {data.steps.map((step, at) => (
              <li key={at} class={`step ${step.kind} depth-${Math.min(step.depth, 12)}`}>
                <StepLine step={step} />
              </li>
            ))}
          </ol>
        </Section>
      )}
    </>
  )
}

function StepLine({ step }: { step: JourneyView['steps'][number] }): JSX.Element {
  const jaeger = session.value?.jaegerUrl
  if (step.kind === 'handler')
    return (
      <>
        <Text>{step.title}</Text> <Badge kind={step.situation === 'done' ? 'ok' : 'open'}>{step.situation}</Badge>
        {step.situation !== 'done' && (
          <p class="hint">
            <Text>{step.sentence}</Text>
          </p>
        )}
      </>
    )
  if (step.kind === 'attempt')
    return (
      <>
        <Time at={step.at} /> {step.title} failed: <code>{step.code}</code> <Text>{step.message}</Text>
        {step.nextAttemptAt && (
          <>
            , next <Time at={step.nextAttemptAt} />
          </>
        )}
      </>
    )
  return (
    <>
      <Time at={step.at} />{' '}
      <strong>
        <Text>{step.title}</Text>
      </strong>{' '}
      {step.key && <Text>{step.key}</Text>}
      <p class="hint">
        {step.from && (
          <>
            from <Text>{step.from}</Text>,{' '}
          </>
        )}
        <Text>{step.where}</Text>
        {step.id && (
          <>
            , <Text>{step.id}</Text>
          </>
        )}
        {jaeger && step.traceId && (
          <>
            {' '}
            ·{' '}
            <a href={`${jaeger}/trace/${step.traceId}`} rel="noreferrer" target="_blank">
              Open in Jaeger
            </a>
          </>
        )}
      </p>
    </>
  )
}
