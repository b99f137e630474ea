import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { CorrectedView, CorrectionView } from '../../../src/api/schemas/corrections.ts'
import type { RunView } from '../../../src/api/schemas/runs.ts'
import type { ProblemView } from '../../../src/api/schemas/shared.ts'
import { refresh } from '../../api/answers.ts'
import { act, problemOf } from '../../api/client.ts'
import { mayAct } from '../../api/session.ts'
import { ActButton } from '../../parts/act-button.tsx'
import { PayloadRefused } from '../../parts/faults.tsx'
import { Section } from '../../parts/panels.tsx'
import { ReasonSection } from '../../parts/reason-section.tsx'
import { Text } from '../../parts/text.tsx'
import { say, sayRefused } from '../../parts/toast.tsx'
import { Changes } from '../changes.tsx'
import { DiffEditor } from './diff-editor.tsx'

type Outcome = { checked?: CorrectedView; problem?: ProblemView }

/** Edited, checked, kept, and sent again when that is wanted. */
export function EditForm({ seq, correction }: { seq: number; correction: CorrectionView }): JSX.Element {
  const { route } = useLocation()
  const [payload, setPayload] = useState(correction.current)
  const [reason, setReason] = useState('')
  const [outcome, setOutcome] = useState<Outcome>({})
  const path = `/letters/${seq}/correction`
  const asked = { payload, seen: correction.recordSeq }
  const attempt = async (what: () => Promise<Outcome>): Promise<void> => {
    setOutcome({})
    try {
      setOutcome(await what())
    } catch (error) {
      setOutcome({ problem: problemOf(error) })
    }
  }
  const check = async (): Promise<Outcome> => ({ checked: await act<CorrectedView>(`${path}/check`, asked) })
  const save = async (): Promise<void> => {
    await act<CorrectedView>(path, { ...asked, reason })
    await refresh('/letters')
  }
  const keep = async (): Promise<Outcome> => {
    await save()
    say(`Letter ${seq} is sent like this from now on`)
    route(`/letters/${seq}`)
    return {}
  }
  const redrive = async (): Promise<Outcome> => {
    await save()
    try {
      const run = await act<RunView>('/runs', { filter: { letters: [seq] }, reason })
      await refresh('/runs')
      route(`/runs/${run.id}`)
    } catch (error) {
      // It is corrected all the same, as its page shows.
      sayRefused(error)
      route(`/letters/${seq}`)
    }
    return {}
  }
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <DiffEditor
        original={correction.original}
        text={correction.current}
        label="Payload to be sent"
        onChange={(text) => {
          setPayload(text)
          setOutcome({})
        }}
      />
      <p class="hint">
        Lines that are gone or changed stand above those that are sent. It is checked by its contract before it is kept.
      </p>
      <ReasonSection isNeeded placeholder="e.g. the city was misspelt" value={reason} onChange={setReason} />
      <div class="buttons end">
        <ActButton onAct={() => attempt(check)}>Check it</ActButton>
        <ActButton onAct={() => attempt(keep)}>Keep it</ActButton>
        <ActButton kind="primary" onAct={() => attempt(redrive)}>
          Keep it and redrive
        </ActButton>
      </div>
      {!mayAct.value && (
        <p class="hint">
          You may look at a correction, and neither check nor keep one: what changes would tell what is hidden.
        </p>
      )}
      <div aria-live="polite">
        {outcome.problem && <PayloadRefused problem={outcome.problem} what="Nothing was kept" />}
        {outcome.checked && <Checked corrected={outcome.checked} />}
      </div>
    </form>
  )
}

function Checked({ corrected: { changes, isCut, checkedBy } }: { corrected: CorrectedView }): JSX.Element {
  return (
    <Section title="What it changes of the original">
      <p class="headline good">
        {checkedBy === null ? (
          'No service said a contract of this type and version: only its handler checks it.'
        ) : (
          <>
            It fits <Text>{checkedBy}</Text>.
          </>
        )}
      </p>
      <Changes changes={changes} />
      {isCut && <p class="none">There are more changes than are shown.</p>}
    </Section>
  )
}
