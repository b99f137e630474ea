import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { LetterRow } from '../../src/api/schemas/letters.ts'
import { refresh } from '../api/answers.ts'
import { act, problemOf, Refused } from '../api/client.ts'
import { mayAct, whyNot } from '../api/session.ts'
import { ReasonDialog } from '../parts/dialog.tsx'
import { plural } from '../parts/time.tsx'
import { say } from '../parts/toast.tsx'

type SelectionBarProps = { selected: Signal<ReadonlySet<number>>; letters: readonly LetterRow[] }

/** What to do with the letters that are ticked. */
export function SelectionBar({ selected, letters }: SelectionBarProps): JSX.Element | null {
  const [isDiscarding, setDiscarding] = useState(false)
  const seqs = [...selected.value].sort((a, b) => a - b)
  if (seqs.length === 0) return null
  const discard = async (reason: string): Promise<void> => {
    const chosen = letters.filter(({ seq }) => selected.value.has(seq))
    await discardAll(
      chosen,
      reason,
      (seq) => (selected.value = new Set([...selected.value].filter((each) => each !== seq))),
    )
    say(`${plural(chosen.length, 'letter')} discarded`)
    selected.value = new Set()
  }
  return (
    <div class="selection" role="region" aria-label="Selected letters">
      <span aria-live="polite">{plural(seqs.length, 'letter')} selected</span>
      <a class="button primary" href={`/redrive?seqs=${seqs.join(',')}`}>
        Redrive…
      </a>
      <button
        type="button"
        aria-disabled={!mayAct.value}
        title={mayAct.value ? undefined : whyNot.value}
        onClick={() => mayAct.value && setDiscarding(true)}
      >
        Discard…
      </button>
      <button type="button" onClick={() => (selected.value = new Set())}>
        Clear
      </button>
      {isDiscarding && (
        <ReasonDialog
          title={`Discard ${plural(seqs.length, 'letter')}?`}
          action="Discard"
          onConfirm={discard}
          onClose={() => setDiscarding(false)}
        >
          <p>They stay where they are and can be opened again; nobody is told to do them any more.</p>
        </ReasonDialog>
      )}
    </div>
  )
}

/** One after the other; what is refused is told together with how many were not. */
async function discardAll(letters: readonly LetterRow[], reason: string, onDone: (seq: number) => void): Promise<void> {
  const refused: Refused[] = []
  for (const { seq, recordSeq } of letters)
    try {
      await act(`/letters/${seq}/discard`, { reason, seen: recordSeq })
      onDone(seq)
    } catch (error) {
      refused.push(error instanceof Refused ? error : new Refused(problemOf(error)))
    }
  await refresh('/letters')
  const [first] = refused
  if (!first) return
  const others = refused.length > 1 ? ` ${refused.length - 1} more were refused.` : ''
  throw new Refused({ ...first.problem, detail: `${first.problem.detail}.${others} The others are discarded` })
}
