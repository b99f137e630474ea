import { BarChart, LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { BenchResult, CaseResult } from './result.ts'

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** The plots of a result by file name. */
export function plotsOf({ scenarios }: BenchResult): Record<string, string> {
  const rates = scenarios.filter(({ ratioOf }) => ratioOf === 'rate')
  return { 'ratios.svg': ratiosPlot(rates) }
}

/** How fast the mesh is beside its twins: a pair of bars a scenario; 1 is as fast as the twin. */
function ratiosPlot(scenarios: readonly CaseResult[]): string {
  const bars = (name: string, of: (each: CaseResult) => number | null): object => ({
    name,
    type: 'bar',
    data: scenarios.map(of),
    label: { show: true, position: 'right' },
  })
  return draw(
    {
      title: { text: 'Rate of the mesh, as a multiple of its twins' },
      legend: { top: 28 },
      grid: { left: 8, right: 48, top: 64, bottom: 8 },
      xAxis: { type: 'value', min: 0 },
      yAxis: { type: 'category', inverse: true, data: scenarios.map(({ name }) => name) },
      series: [bars('plain client', (each) => each.ratioToPlain), bars('lean loop', (each) => each.ratioToLean)],
    },
    { width: 800, height: 110 + 44 * scenarios.length },
  )
}

export type Lines = {
  title: string
  lines: readonly { name: string; points: readonly (readonly [number, number])[] }[]
  /** Of both axes. @default 'value' */
  scale?: 'value' | 'log'
}

/** Lines over a common axis, as SVG. */
export function drawLines({ title, lines, scale = 'value' }: Lines): string {
  const axis = { type: scale, ...(scale === 'value' && { min: 0 }) }
  return draw(
    {
      title: { text: title },
      legend: { top: 28 },
      grid: { left: 8, right: 24, top: 90, bottom: 8 },
      xAxis: axis,
      yAxis: axis,
      series: lines.map(({ name, points }) => ({ name, type: 'line', data: points, showSymbol: scale === 'log' })),
    },
    { width: 800, height: 440 },
  )
}

function draw(option: object, size: { width: number; height: number }): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  chart.setOption({ animation: false, backgroundColor: '#ffffff', ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  // Classes for the mouse are numbered as charts are made: the same data has to give the same file.
  return `${svg.replaceAll(/ class="zr[^"]*"|<style[^]*?<\/style>\n?/g, '').replaceAll(/zr\d+/g, 'zr')}\n`
}
