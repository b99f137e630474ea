import { useRoute } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { CorrectionView } from '../../../src/api/schemas/corrections.ts'
import { useAnswer } from '../../api/answers.ts'
import { Loading, Problem } from '../../parts/panels.tsx'
import { useTitle } from '../../parts/title.ts'
import { EditForm } from './edit-form.tsx'

/** The payload of a letter, to be corrected. */
export function EditPage(): JSX.Element {
  const { params } = useRoute()
  const seq = Number(params['seq'])
  useTitle(`Edit letter ${seq}`)
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/letters?state=open">Dead letters</a> / <a href={`/letters/${seq}`}>letter {seq}</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>Edit letter {seq}</h1>
        <p class="lede">The letter stays as it is; what you change is kept beside it, and sent from then on.</p>
      </div>
      <Opened key={seq} seq={seq} />
    </>
  )
}

/** What was there when it was opened; what somebody else did meanwhile is told, and takes nothing away. */
function Opened({ seq }: { seq: number }): JSX.Element {
  const { data: now, problem } = useAnswer<CorrectionView>(`/letters/${seq}/correction`)
  const [opened, setOpened] = useState<CorrectionView>()
  if (problem) return <Problem problem={problem} />
  if (!now) return <Loading what="the letter" />
  const shown = opened ?? now
  if (!opened) setOpened(now)
  const hasMoved = now.recordSeq !== shown.recordSeq
  return (
    <>
      {hasMoved && (
        <p class="banner" role="alert">
          Somebody dealt with this letter since you opened it; it is {now.state} now. What you would save is refused.{' '}
          <button type="button" class="small" onClick={() => setOpened(now)}>
            Begin again from what it is now
          </button>
        </p>
      )}
      {shown.state === 'open' || hasMoved ? (
        <EditForm key={shown.recordSeq} seq={seq} correction={shown} />
      ) : (
        <p class="headline">It is {shown.state}: only an open letter is corrected.</p>
      )}
    </>
  )
}
