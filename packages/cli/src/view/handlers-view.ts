import type { HandlerChange, HandlerInstance, ListedHandler } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { showAge } from './duration.ts'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { fit, plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'

type Colors = ReturnType<typeof createColors>

/** One row a handler. */
export function drawHandlers(handlers: readonly ListedHandler[], { width, colors }: Screen): string {
  if (handlers.length === 0) return 'No handlers: no service of this mesh has started here.'
  const pc = createColors(colors)
  const head = ['handler', 'handles', 'lag', 'oldest', 'gone in', 'running', 'instances', 'state']
  const rows = handlers.map((one) => [
    visible(nameOf(one)),
    visible(one.source),
    one.lag ? String(one.lag.messages) : '?',
    one.lag && one.lag.oldestMs > 0 ? showAge(one.lag.oldestMs) : '',
    one.lag?.headroomMs == null ? '' : showAge(one.lag.headroomMs),
    String(one.running),
    String(one.instances.length),
  ])
  const others = head.slice(0, -1).map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)))
  const room = Math.max(20, width - others.reduce((sum, each) => sum + each + 3, 0) - 4)
  const table = new Table({ ...tableStyle(colors), head })
  for (const [index, row] of rows.entries()) {
    const [paint, text] = stateOf(handlers[index]!, pc)
    table.push([...row, paint(fit(text, room).trimEnd())])
  }
  return [table.toString(), pc.dim('malha handlers show <handler> has each instance of one')].join('\n')
}

/** One handler, and what each instance says. */
export function drawHandler(one: ListedHandler, screen: Screen): string {
  const pc = createColors(screen.colors)
  const { lag, lane, durables, streams } = one
  const [paint, text] = stateOf(one, pc)
  const where = durables.map(({ stream, durable }) => `${stream} by ${durable}`).join(', ')
  const lines: [name: string, value: string][] = [
    ['handler', visible(nameOf(one))],
    ['handles', visible(`${one.source} from ${where || `${streams.join(', ')}, in the order of its keys`}`)],
    ['lag', lag ? lagText(lag) : 'not known: no instance says it'],
    ['lane', `${lane.pending} to come, ${lane.ackPending} delivered and not done`],
    ['state', paint(text)],
    ['limits', limitsText(one.said)],
  ]
  return [
    ...lines.map(([name, value]) => `${pc.dim(name.padEnd(8))} ${value}`),
    ...(one.instances.length === 0 ? [pc.yellow('no instance answers')] : [drawInstances(one.instances, screen)]),
  ].join('\n')
}

function drawInstances(instances: readonly HandlerInstance[], { colors }: Screen): string {
  const head = [
    'instance',
    'version',
    'running',
    'at once',
    'a second',
    'waiting',
    'retries',
    'leaked',
    'breaker',
    'paused',
  ]
  const isOrdered = instances.some(({ partitions }) => partitions !== null)
  const table = new Table({ ...tableStyle(colors), head: isOrdered ? [...head, 'partitions', 'held'] : head })
  for (const one of instances)
    table.push([
      visible(one.instance),
      visible(one.version),
      one.running,
      one.concurrency,
      one.rateLimit?.perSecond ?? 'any',
      one.ready,
      one.retrying,
      one.leaked,
      one.breaker.state,
      one.paused ? 'yes' : 'no',
      ...(isOrdered ? [one.partitions ?? '', one.heldKeys ?? ''] : []),
    ])
  const faults = instances.flatMap(({ instance, fault, denied }) => [
    ...(fault ? [`${instance}: ${fault}`] : []),
    ...(denied ? [`${instance}: its user may not use ${denied}, so it hears late or never that it is paused`] : []),
  ])
  return [table.toString(), ...faults.map((fault) => createColors(colors).yellow(inOneLine(fault)))].join('\n')
}

/** What was, and what is. */
export function drawChange(
  name: { service: string; handler: string },
  { before, after }: HandlerChange,
  { colors }: Screen,
): string {
  const pc = createColors(colors)
  const whose = visible(`${name.service}/${name.handler}`)
  if (JSON.stringify(before) === JSON.stringify(after)) return `${whose} is not paused; nothing was changed`
  return [
    `${whose} ${after?.paused ? pc.yellow(pauseText(after.paused)) : 'is not paused'}; ${limitsText(after ?? {})}`,
    pc.dim(`before: ${before?.paused ? pauseText(before.paused) : 'not paused'}; ${limitsText(before ?? {})}`),
  ].join('\n')
}

/** The worst there is to say. */
function stateOf(one: ListedHandler, pc: Colors): [paint: (text: string) => string, text: string] {
  const { paused, breaker, fault, instances } = one
  if (paused) {
    const others = instances.filter((each) => each.paused === null).length
    if (others === 0) return [pc.yellow, pauseText(paused)]
    return [pc.red, `${others} of ${plural(instances.length, 'instance')} not yet ${pauseText(paused)}`]
  }
  if (fault !== null) return [pc.red, inOneLine(`what is said of it cannot be read: ${fault}`)]
  if (instances.length === 0) return [pc.red, 'no instance answers']
  const leaked = instances.reduce((sum, each) => sum + each.leaked, 0)
  if (breaker && breaker.state !== 'closed')
    return [pc.red, `breaker ${breaker.state}${breaker.since === null ? '' : ` since ${shortTime(breaker.since)}`}`]
  if (leaked > 0) return [pc.red, `${plural(leaked, 'slot')} leaked`]
  const told = instances.find((each) => each.fault !== null)
  if (told) return [pc.yellow, inOneLine(told.fault!)]
  const full = instances.flatMap((each) => each.fullPartitions ?? []).length
  const held = one.heldKeys ? `${plural(one.heldKeys, 'key')} held behind dead letters` : ''
  if (full > 0)
    return [pc.red, [`${plural(full, 'partition')} full, reading nothing new`, held].filter(Boolean).join('; ')]
  if (held) return [pc.yellow, held]
  return [pc.green, 'runs']
}

function pauseText({ until, who, reason }: NonNullable<ListedHandler['paused']>): string {
  return inOneLine(`paused ${until === null ? 'until resumed' : `until ${shortTime(until)}`} by ${who}: ${reason}`)
}

function lagText({
  messages,
  pending,
  ackPending,
  redelivered,
  oldestMs,
  headroomMs,
}: NonNullable<ListedHandler['lag']>): string {
  if (messages === 0) return 'none'
  const parts = [
    `${plural(messages, 'message')}: ${pending} to come, ${ackPending} delivered and not done`,
    ...(redelivered > 0 ? [`${redelivered} redelivered`] : []),
    `the oldest ${showAge(oldestMs)} old`,
    ...(headroomMs === null ? [] : [`gone in ${showAge(headroomMs)}`]),
  ]
  return parts.join(', ')
}

function limitsText({ concurrency, rateLimit }: ListedHandler['said']): string {
  if (concurrency === undefined && rateLimit === undefined) return 'limits as declared'
  const rate =
    rateLimit === undefined
      ? 'rate as declared'
      : rateLimit === null
        ? 'no rate limit'
        : `${rateLimit.perSecond} a second`
  return `${concurrency === undefined ? 'concurrency as declared' : `${concurrency} at once`}, ${rate}`
}

const nameOf = ({ service, handler }: ListedHandler): string => `${service}/${handler}`

/** Without parts of a second. */
const shortTime = (iso: string): string => `${iso.slice(0, 19).replace('T', ' ')}Z`
