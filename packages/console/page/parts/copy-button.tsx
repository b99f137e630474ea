import type { JSX } from 'preact'
import { say } from './toast.tsx'

/** Puts text on the clipboard, and says so. */
export function CopyButton({ text, what }: { text: string; what: string }): JSX.Element {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      say(`Copied ${what}`)
    } catch {
      say('The browser did not let it be copied')
    }
  }
  return (
    <button type="button" class="small" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      Copy
    </button>
  )
}
