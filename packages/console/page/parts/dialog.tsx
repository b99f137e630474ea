import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { problemOf } from '../api/client.ts'
import { Problem } from './panels.tsx'

type ReasonDialogProps = {
  title: string
  action: string
  children?: ComponentChildren
  /** Does it; what it throws is shown, and the dialog stays. */
  onConfirm: (reason: string) => Promise<void>
  onClose: () => void
}

/** Asks for a reason before something is done: others will read it. */
export function ReasonDialog({ title, action, children, onConfirm, onClose }: ReasonDialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const [problem, setProblem] = useState<ProblemView>()
  const [isBusy, setBusy] = useState(false)
  const id = useId()
  useEffect(() => dialog.current?.showModal(), [])
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const reason = new FormData(event.currentTarget as HTMLFormElement).get('reason') as string
    setBusy(true)
    try {
      await onConfirm(reason)
      onClose()
    } catch (error) {
      setProblem(problemOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} aria-labelledby={`${id}-title`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id={`${id}-title`}>{title}</h2>
        {children}
        <label for={`${id}-reason`}>Reason</label>
        <textarea id={`${id}-reason`} name="reason" rows={3} maxLength={500} required aria-describedby={`${id}-hint`} />
        <p class="hint" id={`${id}-hint`}>
          It is written down with your name.
        </p>
        {problem && <Problem problem={problem} />}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  )
}
