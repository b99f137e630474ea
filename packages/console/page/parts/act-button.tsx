import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { mayAct, whyNot } from '../api/session.ts'
import { sayRefused } from './toast.tsx'

type ActButtonProps = {
  children: ComponentChildren
  onAct: () => unknown
  kind?: 'primary' | 'danger' | 'plain'
  isAllowed?: boolean
  why?: string
}

/** Does something on the server. Who may not is told why; one click is one request. */
export function ActButton(props: ActButtonProps): JSX.Element {
  const { children, onAct, kind = 'plain', isAllowed = mayAct.value, why = whyNot.value } = props
  const [isBusy, setBusy] = useState(false)
  const click = async (): Promise<void> => {
    if (!isAllowed || isBusy) return
    setBusy(true)
    try {
      await onAct()
    } catch (error) {
      sayRefused(error)
    } finally {
      setBusy(false)
    }
  }
  // Not `disabled`: a keyboard would never reach the reason.
  return (
    <button
      type="button"
      class={kind}
      aria-disabled={!isAllowed || isBusy}
      title={isAllowed ? undefined : why}
      aria-description={isAllowed ? undefined : why}
      onClick={() => void click()}
    >
      {children}
    </button>
  )
}
