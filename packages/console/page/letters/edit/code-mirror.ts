/** The editor itself: large, so it is fetched by the page that shows it, and by no other. */
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { syntaxHighlighting } from '@codemirror/language'
import { unifiedMergeView } from '@codemirror/merge'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'

export type EditorOptions = {
  /** What the text is compared with. */
  original: string
  text: string
  label: string
  onChange: (text: string) => void
}

/**
 * Shows a text to be edited in `host`, with what is not as in the original. Returns what ends it. It lives in a shadow tree: styles
 * that scripts adopt there need no leave of the page's policy, where a `style` element would.
 */
export function openEditor(host: HTMLElement, options: EditorOptions): () => void {
  const { original, text, label, onChange } = options
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        highlightSpecialChars({ render: asNumber }),
        keymap.of([...defaultKeymap, ...historyKeymap]),
        json(),
        syntaxHighlighting(classHighlighter),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) onChange(state.doc.toString())
        }),
        unifiedMergeView({ original, mergeControls: control, diffConfig: { timeout: 200 } }),
        EditorView.theme(THEME),
      ],
    }),
  })
  return () => view.destroy()
}

/** What would act on its surroundings is shown as what it is, as everywhere on the page. */
function asNumber(code: number): HTMLElement {
  const shown = document.createElement('span')
  shown.className = 'acting'
  shown.textContent = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return shown
}

/** A change is taken back in its place. There is nothing to accept: what stands there is what is sent. */
function control(type: 'accept' | 'reject', action: (event: MouseEvent) => void): HTMLElement {
  if (type === 'accept') return document.createElement('span')
  const button = document.createElement('button')
  button.textContent = 'Undo'
  button.setAttribute('aria-label', 'Undo this change')
  button.addEventListener('mousedown', action)
  // A keyboard presses no mouse button.
  button.addEventListener('click', (event) => event.detail === 0 && action(event))
  return button
}

const THEME = {
  '&': { backgroundColor: 'var(--surface)', color: 'var(--text)', fontSize: '0.87rem' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', maxHeight: '60vh', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--soft)', border: '0' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--blue-wash) !important' },
  '&.cm-merge-b .cm-changedLine, .cm-changedLine': { backgroundColor: 'var(--green-wash)' },
  '&.cm-merge-b .cm-changedText': { background: 'none', textDecoration: 'underline var(--green-fill) 2px' },
  '.cm-deletedChunk': { backgroundColor: 'var(--red-wash)', color: 'var(--text)', unicodeBidi: 'isolate' },
  '.cm-deletedChunk .cm-deletedText': { background: 'none', textDecoration: 'line-through var(--red-fill)' },
  '.cm-deletedChunk .cm-chunkButtons button': {
    minHeight: '24px',
    padding: '0 9px',
    border: '1px solid var(--line-strong)',
    borderRadius: '5px',
    background: 'var(--surface)',
    color: 'var(--text)',
    font: 'inherit',
    cursor: 'pointer',
  },
  '.tok-propertyName': { color: 'var(--accent)' },
  '.tok-string': { color: 'var(--text)' },
  '.tok-number, .tok-bool, .tok-null': { color: 'var(--blue)' },
  '.acting': { padding: '0 4px', borderRadius: '4px', backgroundColor: 'var(--amber-wash)', color: 'var(--amber)' },
}
