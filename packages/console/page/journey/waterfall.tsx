import type { JSX } from 'preact'
import type { JourneyView, Step } from '../../src/api/schemas/journey.ts'
import { Badge } from '../parts/panels.tsx'
import { Text, Why } from '../parts/text.tsx'
import { Time, tookOf } from '../parts/time.tsx'
import { handlerPath } from '../topology/handler-node.tsx'
import { TraceLink } from './trace-link.tsx'

type Axis = JourneyView['axis']

const KINDS = [
  ['stored', 'stored'],
  ['ran', 'an attempt that ended well'],
  ['failed', 'a failed attempt'],
  ['waits', 'waits for the next'],
  ['open', 'not done'],
] as const

/** Every hop and attempt as a tree, each with its bars on one axis of time. */
export function Waterfall({ journey }: { journey: JourneyView }): JSX.Element {
  const { steps, axis } = journey
  const used = new Set(steps.flatMap(({ bars }) => bars.map(({ kind }) => kind)))
  return (
    <>
      <div class="steps waterfall">
        <div class="step">
          <span />
          <Ruler axis={axis} />
        </div>
        <ol>
          {steps.map((step, at) => (
            <li key={at} class={`step ${step.kind}`}>
              <div class={`step-words depth-${Math.min(step.depth, 12)}`}>
                <StepLine step={step} />
              </div>
              <Bars step={step} axis={axis} />
            </li>
          ))}
        </ol>
      </div>
      <p class="legend">
        {KINDS.filter(([kind]) => used.has(kind)).map(([kind, words]) => (
          <span key={kind}>
            <svg class="bars" viewBox="0 0 18 10" aria-hidden="true">
              <rect class={kind} width="18" height="10" rx="2" />
            </svg>
            {words}
          </span>
        ))}
      </p>
    </>
  )
}

/** A bar narrower than this is not seen, columns. */
const LEAST = 6

/** What they say stands in words beside them. */
function Bars({ step, axis }: { step: Step; axis: Axis }): JSX.Element {
  return (
    <svg class="bars" viewBox={`0 0 ${axis.columns} 16`} preserveAspectRatio="none" aria-hidden="true">
      {axis.stretches
        .filter(({ kind }) => kind === 'break')
        .map(({ from, to }) => (
          <rect key={from} class="cut" x={from} y="-6" width={to - from} height="28" />
        ))}
      {step.bars.map(({ kind, from, to }, at) => {
        const width = Math.max(LEAST, to - from)
        const isThin = kind === 'open' || kind === 'waits'
        return (
          <rect
            key={at}
            class={kind}
            x={Math.min(from, axis.columns - width)}
            y={isThin ? 6 : 1}
            width={width}
            height={isThin ? 4 : 14}
            rx="2"
          />
        )
      })}
    </svg>
  )
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})
/** Room that a time needs, columns. */
const LABEL = 190

/** When stretches begin, and how long what is cut out was. Labels that would run into each other are left out. */
function Ruler({ axis: { columns, stretches } }: { axis: Axis }): JSX.Element {
  let free = 0
  let freeCut = 0
  const percent = (column: number): string => `${((column / columns) * 100).toFixed(2)}%`
  return (
    <div class="axis" aria-hidden="true">
      {stretches.map(({ kind, from, to, startAt, ms }) => {
        const middle = (from + to) / 2
        if (kind === 'break') {
          if (middle < freeCut) return null
          freeCut = middle + LABEL / 2
          return (
            <span key={from} class="cut" style={{ left: percent(middle) }}>
              ⋯ {tookOf(ms)}
            </span>
          )
        }
        if (from < free || from > columns - LABEL * 0.8) return null
        free = from + LABEL
        return (
          <span key={from} style={{ left: percent(from) }}>
            {CLOCK.format(new Date(startAt))}
          </span>
        )
      })}
    </div>
  )
}

function StepLine({ step }: { step: Step }): JSX.Element {
  if (step.kind === 'handler') return <HandlerLine step={step} />
  if (step.kind === 'attempt') return <AttemptLine step={step} />
  if (step.kind === 'run') return <RunLine step={step} />
  return (
    <>
      <Time at={step.at} />{' '}
      <strong>
        <Text>{step.title}</Text>
      </strong>{' '}
      {step.key && <Text>{step.key}</Text>}
      {step.copy && (
        <p class="hint">
          of new message <JourneyLink of={step.copy.id} />, which{' '}
          <a href={`/runs/${step.copy.run}`}>run {step.copy.run}</a> made of <JourneyLink of={step.copy.of} />
        </p>
      )}
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
        )}{' '}
        {step.traceId && <TraceLink traceId={step.traceId} />}
      </p>
    </>
  )
}

function JourneyLink({ of }: { of: string }): JSX.Element {
  return (
    <a href={`/journey?of=${encodeURIComponent(of)}`}>
      <Text>{of}</Text>
    </a>
  )
}

function HandlerLine({ step }: { step: Extract<Step, { kind: 'handler' }> }): JSX.Element {
  const [service = '', handler = ''] = step.title.split('/')
  return (
    <>
      <a href={handlerPath({ service, handler })} data-row>
        <Text>{step.title}</Text>
      </a>{' '}
      <Badge kind={step.situation === 'done' ? 'ok' : 'open'}>{step.situation}</Badge>
      {step.situation !== 'done' && (
        <p class="hint">
          <Text>{step.sentence}</Text>
        </p>
      )}
    </>
  )
}

const CAME_OF: Record<Extract<Step, { kind: 'run' }>['result'], string> = {
  'under-way': 'under way',
  ok: 'done',
  already: 'was done before',
  failed: 'failed again',
  gone: 'nothing was left to send',
}

function RunLine({ step }: { step: Extract<Step, { kind: 'run' }> }): JSX.Element {
  return (
    <>
      <Time at={step.at} /> {step.title === 'redrive' ? 'redriven' : 'replayed'} by{' '}
      <a href={`/runs/${step.run}`}>run {step.run}</a>
      {step.copyId && (
        <>
          {' '}
          as new message <JourneyLink of={step.copyId} />
        </>
      )}
      : {CAME_OF[step.result]}
      {step.attempts !== null && step.attempts > 1 && ` after ${step.attempts} attempts`}
      {step.code && (
        <>
          , <code>{step.code}</code> <Why code={step.code} reason={step.message ?? ''} />
        </>
      )}{' '}
      {step.traceId && <TraceLink traceId={step.traceId} />}
    </>
  )
}

function AttemptLine({ step }: { step: Extract<Step, { kind: 'attempt' }> }): JSX.Element {
  const took = step.tookMs === null ? '' : `, took ${tookOf(step.tookMs)}`
  return (
    <>
      <Time at={step.at} /> {step.title} {step.isFailed ? 'failed' : 'ended well'}
      {took}
      {step.code && (
        <>
          : <code>{step.code}</code> <Why code={step.code} reason={step.message ?? ''} />
        </>
      )}
      {step.nextAttemptAt && (
        <>
          , next <Time at={step.nextAttemptAt} />
        </>
      )}
    </>
  )
}
