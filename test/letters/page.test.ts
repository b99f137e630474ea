import { expect, test } from 'vitest'
import { pageOf, plotsOf, read, readPage, readResult } from './page.ts'
import { boundsOf } from './result.ts'

test('the page of letters says what the committed data says: node test/letters/page.ts writes it anew', async () => {
  const [page, result] = await Promise.all([readPage(), readResult()])
  expect(told(page)).toBe(told(pageOf(page, result)))
  for (const [name, svg] of Object.entries(plotsOf(result))) expect(await read(name)).toBe(svg)
})

test('a bound that is missed is said to be', async () => {
  const result = await readResult()
  const { answers, paced, unthrottled, byConsole, cancelled } = result
  const first = { ...answers['the first page']!, slowestMs: 301 }
  const missed = boundsOf({
    ...result,
    answers: { ...answers, 'the first page': first },
    paced: { ...paced, perSecond: paced.asked * 1.11 },
    unthrottled: { ...unthrottled, perSecond: 4999, again: 1 },
    byConsole: { ...byConsole, runnerMb: 250, consoleMb: 250 },
    firstReading: { ...result.firstReading, command: { ms: 1, peakMb: 250 } },
    cancelled: { ...cancelled, runnerMs: 1001, handled: cancelled.sent - 1 },
    resolvedInTheEnd: result.letters - 1,
  })
  expect(missed.filter(({ holds }) => holds)).toEqual([])
})

/** The formatter aligns tables and keeps lines apart. */
const told = (markdown: string): string => markdown.replaceAll(/-{3,}/g, '---').replaceAll(/\s+/g, ' ')
