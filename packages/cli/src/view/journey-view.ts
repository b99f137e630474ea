import type { CopyOf, FoundEvent, HandlerHop, Hop, Journey, RunHop } from '@malha/operations'
import { createColors } from 'picocolors'
import { whyOf } from './letters-view.ts'
import type { Screen } from './print.ts'
import { plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'
import { drawWaterfall } from './waterfall.ts'
import { paintOf } from './why-view.ts'

/** The tree, then the spans, then what is missing. */
export function drawJourney(journey: Journey, screen: Screen): string {
  const pc = createColors(screen.colors)
  const { asked, as, roots, events, traces, missing } = journey
  const left = missing.map((text) => pc.dim(`not looked at: ${inOneLine(text)}`))
  if (as === undefined) return [`Nothing here has the id or key ${visible(asked)}.`, ...left].join('\n')
  const tree = roots.flatMap((root) => hopLines(root, screen.colors))
  const spans = traces.flatMap(({ traceId, spans: all }) => [
    '',
    pc.dim(`trace ${traceId}`),
    ...drawWaterfall(all, screen),
  ])
  return [`${plural(events, 'event')}, found by ${as}`, ...tree, ...spans, ...left].join('\n')
}

/** A line of the tree, and what hangs below it. */
type Branch = { lines: readonly string[]; below: readonly Branch[] }

function hopLines(root: Hop, colors: boolean): string[] {
  const { lines, below } = hopBranch(root, colors)
  return [...lines, ...branchLines(below)]
}

/** What a handler published hangs below it; what nobody says who published, below the event. */
function hopBranch({ event, handlers, caused, publishedBy, copy }: Hop, colors: boolean): Branch {
  const isOf = (hop: Hop, handler: HandlerHop): boolean =>
    hop.publishedBy === handler.handler && hop.event.service === handler.service
  const rest = caused.filter((hop) => !handlers.some((handler) => isOf(hop, handler)))
  return {
    lines: [...copyLines(copy, colors), eventLine(event, publishedBy, colors)],
    below: [
      ...handlers.map((handler) =>
        handlerBranch(
          handler,
          caused.filter((hop) => isOf(hop, handler)),
          colors,
        ),
      ),
      ...rest.map((hop) => hopBranch(hop, colors)),
    ],
  }
}

/** What it came of is stored nowhere. */
function copyLines(copy: CopyOf | undefined, colors: boolean): string[] {
  if (!copy) return []
  const { id, of, run, service, handler } = copy
  const text = `new message ${id}, which run ${run} made of ${of} for ${service}/${handler}, published:`
  return [createColors(colors).dim(inOneLine(text))]
}

function eventLine(event: FoundEvent, publishedBy: string | undefined, colors: boolean): string {
  const pc = createColors(colors)
  const { type, subject, key, id, service, stream, seq, storedAt, foundIn } = event
  const from = publishedBy === undefined ? service : `${service}/${publishedBy}`
  const where = foundIn === 'stream' ? `${stream} ${seq}` : `${stream} ${seq} (${foundIn})`
  return `${pc.bold(visible(type ?? subject))} ${visible(key ?? '')} ${pc.dim(visible(`${storedAt.slice(0, 23)}Z from ${from ?? '?'}, ${where}, ${id ?? 'no id'}`))}`
}

/** Attempts shown of one handler: the first and the last ones. */
const FIRST = 2
const LAST = 3

function handlerBranch(hop: HandlerHop, published: readonly Hop[], colors: boolean): Branch {
  const { service, handler, situation, sentence, attempts, runs } = hop
  const shown = attempts.filter((_, index) => index < FIRST || index >= attempts.length - LAST)
  const folded = attempts.length - shown.length
  const lines = shown.map((attempt) => leaf(attemptLine(attempt)))
  if (folded > 0) lines.splice(FIRST, 0, leaf(`⋮ ${folded} more failed attempts`))
  const said = situation === 'done' ? '' : `  ${inOneLine(sentence)}`
  return {
    lines: [`${visible(`${service}/${handler}`)}  ${paintOf(situation, colors)(situation)}${said}`],
    below: [...lines, ...runs.map((run) => leaf(runLine(run))), ...published.map((each) => hopBranch(each, colors))],
  }
}

const leaf = (line: string): Branch => ({ lines: [line], below: [] })

function attemptLine({ attempt, at, code, message, nextAttemptAt }: HandlerHop['attempts'][number]): string {
  const next = nextAttemptAt === null ? 'given up' : `next ${nextAttemptAt}`
  return `↻${attempt} ${visible(at)}  ${inOneLine(code)} ${whyOf({ code, reason: message })}  (${inOneLine(next)})`
}

/** `⟳ redriven 2026-… by run R: failed again after 2 attempts (HTTP_422 …)  trace …` */
function runLine({ run, kind, at, result, endedAt, attempts, code, message, traceId, copyId }: RunHop): string {
  const copy = copyId === undefined ? '' : ` as new message ${visible(copyId)}`
  const sent = `⟳ ${kind === 'redrive' ? 'redriven' : 'replayed'} ${visible(at)} by run ${visible(run)}${copy}: `
  const count = attempts === undefined || attempts < 2 ? '' : ` after ${attempts} attempts`
  const ended = endedAt === undefined ? '' : `${count} at ${visible(endedAt)}`
  const why = code === undefined ? '' : ` (${inOneLine(code)} ${whyOf({ code, reason: message ?? '' })})`
  const trace = traceId === undefined ? '' : `, trace ${visible(traceId)}`
  return `${sent}${RESULTS[result]}${ended}${why}${trace}`
}

const RESULTS: Readonly<Record<RunHop['result'], string>> = {
  'under-way': 'under way',
  ok: 'ok',
  already: 'already done',
  failed: 'failed again',
  gone: 'nothing left to send',
}

function branchLines(branches: readonly Branch[]): string[] {
  return branches.flatMap(({ lines, below }, index) => {
    const isLast = index === branches.length - 1
    const [first = '', ...more] = [...lines, ...branchLines(below)]
    return [`${isLast ? '└─' : '├─'} ${first}`, ...more.map((line) => `${isLast ? '  ' : '│ '} ${line}`)]
  })
}

/** Nanoseconds are no numbers of JSON. */
export function journeyJson(journey: Journey): object {
  const traces = journey.traces.map(({ traceId, spans }) => ({
    traceId,
    spans: spans.map(({ startNs, endNs, ...span }) => ({ ...span, startNs: String(startNs), endNs: String(endNs) })),
  }))
  return { ...journey, as: journey.as ?? null, traces }
}
