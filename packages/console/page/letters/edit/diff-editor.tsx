import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Loading, Problem } from '../../parts/panels.tsx'
import { problemOf } from '../../api/client.ts'
import type { EditorOptions } from './code-mirror.ts'

/** A text to be edited, with what is not as in the original. What it begins with stands until it is shown anew. */
export function DiffEditor(options: EditorOptions): JSX.Element {
  const host = useRef<HTMLDivElement>(null)
  const [state, setState] = useState<'fetching' | 'shown' | { error: unknown }>('fetching')
  const latest = useRef(options)
  latest.current = options
  useEffect(() => {
    let close: (() => void) | undefined
    let isGone = false
    const open = async (): Promise<void> => {
      try {
        const { openEditor } = await import('./code-mirror.ts')
        if (isGone) return
        close = openEditor(host.current!, { ...latest.current, onChange: (text) => latest.current.onChange(text) })
        setState('shown')
      } catch (error) {
        setState({ error })
      }
    }
    void open()
    return () => {
      isGone = true
      close?.()
    }
  }, [])
  return (
    <>
      {state === 'fetching' && <Loading what="the editor" />}
      {typeof state === 'object' && <Problem problem={problemOf(state.error)} />}
      <div ref={host} class="editor" data-editor />
    </>
  )
}
