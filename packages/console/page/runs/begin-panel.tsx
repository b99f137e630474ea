import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RunView } from '../../src/api/schemas/runs.ts'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { refresh } from '../api/answers.ts'
import { act, problemOf } from '../api/client.ts'
import { mayAct, whyNot } from '../api/session.ts'
import { ActButton } from '../parts/act-button.tsx'
import { Problem, Section } from '../parts/panels.tsx'
import { ReasonSection } from '../parts/reason-section.tsx'
import { durationOf, number, plural } from '../parts/time.tsx'
import { say } from '../parts/toast.tsx'
import { LimitFields, type Limits } from './limit-fields.tsx'

type BeginPanelProps = {
  total: number
  what: 'letter' | 'event'
  limits: Limits
  onLimits: (limits: Limits) => void
  reason: string
  onReason: (reason: string) => void
  /** Where the run is begun, and with what beside limits and reason. */
  path: string
  body: object
  isAllowed?: boolean
  why?: string
}

/** How fast, why, and the button that begins the run that was planned. */
export function BeginPanel(props: BeginPanelProps): JSX.Element {
  const { total, what, limits, onLimits, reason, onReason, path, body } = props
  const { isAllowed = mayAct.value, why = whyNot.value } = props
  const { route } = useLocation()
  const [problem, setProblem] = useState<ProblemView>()
  const begin = async (): Promise<void> => {
    setProblem(undefined)
    try {
      const because = reason.trim() === '' ? {} : { reason: reason.trim() }
      const run = await act<RunView>(path, { ...body, limits, ...because })
      await refresh('/runs')
      say(`Run ${run.id} has begun`)
      route(`/runs/${run.id}`)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return (
    <>
      <Section title="How fast">
        <LimitFields limits={limits} onChange={onLimits} />
        <p class="hint">
          At {number(limits.perSecond)} a second this takes about {durationOf(total / limits.perSecond)}. It can be
          paused and cancelled.
        </p>
      </Section>
      <ReasonSection placeholder="e.g. the city is known now" value={reason} onChange={onReason} />
      {problem && <Problem problem={problem} />}
      <div class="buttons end">
        <ActButton kind="primary" isAllowed={isAllowed} why={why} onAct={begin}>
          Send {plural(total, what)} again
        </ActButton>
      </div>
    </>
  )
}
