import type { RefObject } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'

/** How wide an element is, px; undefined until it is there. */
export function useWidth(element: RefObject<HTMLElement | null>): number | undefined {
  const [width, setWidth] = useState<number>()
  useLayoutEffect(() => {
    const seen = element.current
    if (!seen) return undefined
    const watch = new ResizeObserver(() => setWidth(Math.floor(seen.clientWidth)))
    watch.observe(seen)
    return () => watch.disconnect()
  }, [element])
  return width
}
