import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import { useWidth } from './use-width.ts'

export type Line = {
  label: string
  values: readonly (number | null)[]
  kind: 'good' | 'bad' | 'plain'
}

type ChartProps = {
  title: string
  /** Unix ms; each line has a value for each. */
  atMs: readonly number[]
  lines: readonly Line[]
  show: (value: number) => string
}

const HEIGHT = 130
/** Until there is more to show, ms. */
const LEAST_SPAN_MS = 60_000
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

/** How values went in the last minutes. The library that draws it comes with the first chart. */
export function Chart({ title, atMs, lines, show }: ChartProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [at, setAt] = useState<number | null>(null)
  const [isUndrawn, setUndrawn] = useState(false)
  const width = useWidth(frame)
  const data = [atMs.map((ms) => ms / 1000), ...lines.map(({ values }) => values)] as uPlot.AlignedData
  const newest = useRef(data)
  newest.current = data
  useEffect(() => {
    if (width === undefined || !frame.current) return
    if (plot.current) return plot.current.setSize({ width, height: HEIGHT })
    let isWanted = true
    const draw = async (): Promise<void> => {
      const { default: Plot } = await import('uplot')
      if (!isWanted || plot.current || !frame.current) return
      plot.current = new Plot(
        optionsOf({ width, lines, show, legend: legend.current!, onCursor: setAt }),
        newest.current,
        frame.current,
      )
    }
    draw().catch(() => setUndrawn(true))
    return () => void (isWanted = false)
  }, [width])
  useEffect(() => plot.current?.setData(data), [atMs])
  useEffect(() => {
    const redraw = (): void => plot.current?.redraw(false, true)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const chosen = new MutationObserver(redraw)
    dark.addEventListener('change', redraw)
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      dark.removeEventListener('change', redraw)
      chosen.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [])
  const shown = at ?? atMs.length - 1
  return (
    <figure class="chart">
      <figcaption ref={legend}>
        <strong>{title}</strong>
        {lines.map(({ label, values, kind }) => (
          <span key={label} class={`line ${kind}`}>
            {label} {values[shown] === null || values[shown] === undefined ? '?' : show(values[shown])}
          </span>
        ))}
        {isUndrawn && <span class="hint">This browser could not draw it.</span>}
        {at !== null && <span class="hint">{CLOCK.format(atMs[at])}</span>}
      </figcaption>
      <div
        ref={frame}
        class="plot"
        role="img"
        aria-label={`${title}: ${lines.map((line) => inWords(line, show)).join('; ')}`}
      />
    </figure>
  )
}

/** For those who do not see it. */
function inWords({ label, values }: Line, show: (value: number) => string): string {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return `${label} is not known yet`
  const [least, most] = [Math.min(...known), Math.max(...known)]
  return `${label} now ${show(known.at(-1)!)}, between ${show(least)} and ${show(most)} in the last minutes`
}

/** Ticks that would be called alike are not. */
const onceEach = (labels: readonly string[]): string[] =>
  labels.map((label, at) => (labels.indexOf(label) === at ? label : ''))

type Options = {
  width: number
  lines: readonly Line[]
  show: (value: number) => string
  legend: HTMLElement
  onCursor: (index: number | null) => void
}

function optionsOf({ width, lines, show, legend, onCursor }: Options): uPlot.Options {
  // A canvas knows no custom properties: the legend has the colours that are meant.
  const colourOf = (selector: string) => () => getComputedStyle(legend.querySelector(selector) ?? legend).color
  const soft = (): string => getComputedStyle(legend).color
  const axis = { stroke: soft, grid: { stroke: soft, width: 0.2 }, ticks: { show: false }, font: '11px system-ui' }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { range: (_, from, to) => (Number.isFinite(from) ? [Math.min(from, to - LEAST_SPAN_MS / 1000), to] : [0, 1]) },
      y: { range: (_, __, most) => [0, Math.max(1, (most || 0) * 1.1)] },
    },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick) => CLOCK.format(tick * 1000)), space: 90, size: 26 },
      { ...axis, values: (_, ticks) => onceEach(ticks.map(show)), size: 62, space: 28 },
    ],
    series: [
      {},
      ...lines.map(({ label, kind }) => ({
        label,
        stroke: colourOf(`.line.${kind}`),
        width: 1.8,
        spanGaps: false,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)] },
  }
}
