import { useRoute } from 'preact-iso'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RunView } from '../../src/api/schemas/runs.ts'
import { refresh, useAnswer } from '../api/answers.ts'
import { act } from '../api/client.ts'
import { LABELS } from '../letters/filter.ts'
import { ActButton } from '../parts/act-button.tsx'
import { Facts, Loading, Problem } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { number, plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { say } from '../parts/toast.tsx'
import { countsOf, Progress, RunState } from './progress.tsx'

/** One run: live, with a hand on it. */
export function RunPage(): JSX.Element {
  const { params } = useRoute()
  const { data: run, problem } = useAnswer<RunView>(`/runs/${params['id']}`)
  const rate = useRate(run)
  useTitle(`Run ${params['id']}`)
  if (!run || run.id !== params['id'])
    return (
      <>
        <h1 tabIndex={-1}>Run {params['id']}</h1>
        {problem ? <Problem problem={problem} /> : <Loading what="the run" />}
      </>
    )
  const counts = countsOf(run)
  return (
    <article>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/runs">Runs</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>
          Run {run.id} <RunState run={run} />
        </h1>
        <Buttons run={run} />
      </div>
      {problem && <Problem problem={problem} />}
      {run.gaveUp && (
        <p class="banner" role="alert">
          This console gave it up: <Text>{run.gaveUp}</Text>. It stays where it is; go on with it when that is mended.
        </p>
      )}
      {run.waits && run.state === 'running' && (
        <p class="banner" role="status">
          It waits, and goes on by itself: <Text>{run.waits}</Text>
        </p>
      )}
      <Progress run={run} isLarge />
      <ul class="tallies">
        <Tally kind="ok" count={counts.ok} label="ok" />
        <Tally kind="failed" count={counts.failed} label="failed again" />
        <Tally kind="away" count={counts.away} label="under way" />
        <Tally kind="left" count={counts.left} label="left" />
        {counts.already > 0 && <Tally kind="other" count={counts.already} label="done before" />}
        {counts.overtaken > 0 && <Tally kind="other" count={counts.overtaken} label="dealt with by somebody else" />}
        {counts.skipped > 0 && (
          <Tally kind="other" count={counts.skipped} label="left out: not open any more, or sent too often" />
        )}
        {counts.gone > 0 && <Tally kind="other" count={counts.gone} label="gone: nothing left to send" />}
        {run.state === 'running' && rate !== undefined && <Tally kind="rate" count={rate} label="outcomes a second" />}
      </ul>
      <Facts
        of={[
          [run.kind === 'redrive' ? 'Letters' : 'Events', <Which run={run} />],
          ['To', run.handler && <Text>{`${run.service}/${run.handler}${run.shadow ? ', a shadow' : ''}`}</Text>],
          ['As', run.asNew && 'new messages, under ids of their own'],
          ['Held back', run.withheld && <Withheld of={run.withheld} />],
          ['Begun', <Time at={run.beganAt} />],
          ['Moved', <Time at={run.movedAt} />],
          ['By', <Text>{run.who}</Text>],
          ['Why', run.reason && <Text>{run.reason}</Text>],
          ['At most', `${number(run.limits['perSecond'] ?? 0)} a second, ${number(run.limits['atOnce'] ?? 0)} at once`],
          ['Stops', `when ${number(run.limits['mostFailures'] ?? 0)} failed again`],
          ['Leaves out', run.kind === 'redrive' && `letters sent ${number(run.limits['mostRedrives'] ?? 0)} times`],
        ]}
      />
    </article>
  )
}

function Tally({ kind, count, label }: { kind: string; count: number; label: string }): JSX.Element {
  return (
    <li class={`tally ${kind}`}>
      <strong>{number(count)}</strong> <span>{label}</span>
    </li>
  )
}

/** What a shadow would have published. */
function Withheld({ of }: { of: Readonly<Record<string, number>> }): JSX.Element | null {
  const types = Object.entries(of)
  if (types.length === 0) return null
  return <Text>{types.map(([type, count]) => `${number(count)} ${type}`).join(', ')}</Text>
}

function slice(from: Readonly<Record<string, unknown>>): string {
  const { stream, archive, seq, type, key, since, until } = from as Record<string, string | number | boolean | null>
  const parts = [
    `${type} ${archive ? 'of the archive of' : 'in'} ${stream}`,
    `from ${seq} on`,
    key !== null && `with the key ${key}`,
    since !== null && `stored since ${since}`,
    until !== null && `stored before ${until}`,
  ]
  return parts.filter(Boolean).join(', ')
}

function Which({ run: { filter, from = {}, upTo } }: { run: RunView }): JSX.Element {
  if (!filter) return <Text>{`${slice(from)}, up to ${upTo}`}</Text>
  const { letters, ...others } = filter as Record<string, string> & { letters?: number[] }
  const named = Object.entries(others).filter(([name, value]) => value && name in LABELS)
  if (letters) return <>{plural(letters.length, 'letter')}, chosen one by one</>
  if (named.length === 0) return <>every open one</>
  return (
    <ul class="chips inline">
      {named.map(([name, value]) => (
        <li key={name}>
          <a href={`/letters?${name}=${encodeURIComponent(value)}`}>
            {LABELS[name as keyof typeof LABELS]} <Text>{value}</Text>
          </a>
        </li>
      ))}
    </ul>
  )
}

function Buttons({ run }: { run: RunView }): JSX.Element {
  const turn = (what: string, done: string) => async (): Promise<void> => {
    await act(`/runs/${run.id}/${what}`)
    await refresh('/runs')
    say(done)
  }
  return (
    <div class="buttons">
      {run.isUnattended && (
        <ActButton kind="primary" onAct={turn('work', 'This console works on it now')}>
          Go on with it
        </ActButton>
      )}
      {run.state === 'running' && (
        <ActButton onAct={turn('pause', 'Nothing more is sent until it is resumed')}>Pause</ActButton>
      )}
      {run.state === 'paused' && (
        <ActButton kind="primary" onAct={turn('resume', 'It sends again')}>
          Resume
        </ActButton>
      )}
      {(run.state === 'running' || run.state === 'paused') && (
        <ActButton kind="danger" onAct={turn('cancel', 'Nothing more is sent; what was sent is handled')}>
          Cancel
        </ActButton>
      )}
    </div>
  )
}

/** Outcomes a second, between the last two looks. */
function useRate(run: RunView | undefined): number | undefined {
  const before = useRef<{ at: number; done: number }>(undefined)
  const [rate, setRate] = useState<number>()
  const at = run ? Date.parse(run.movedAt) : 0
  useEffect(() => {
    if (!run) return
    const { ok, failed } = countsOf(run)
    const now = { at, done: ok + failed }
    const seconds = before.current ? (now.at - before.current.at) / 1000 : 0
    if (before.current && seconds > 0.2) setRate(Math.round((now.done - before.current.done) / seconds))
    before.current = now
  }, [run?.id, at])
  return rate
}
