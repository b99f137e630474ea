import { useEffect } from 'preact/hooks'

/** What the tab, and the history of the browser, call this page. */
export function useTitle(title: string): void {
  useEffect(() => void (document.title = `${title} · Malha`), [title])
}
