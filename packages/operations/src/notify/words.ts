import { stripVTControlCharacters } from 'node:util'
import type { Notice } from './notice.ts'
import type { NotifyFormat } from './options.ts'

/** Of what mesh, for whom, and where to look further. */
export type Surroundings = {
  readonly namespace: string
  readonly format: NotifyFormat
  readonly consoleUrl: URL | undefined
  /** The server's clock, unix ms. */
  readonly nowMs: number
}

/** What is posted. */
export function bodyOf(notice: Notice, around: Surroundings): string {
  const link = linkOf(notice, around.consoleUrl)
  const command = commandOf(notice, around.namespace)
  if (around.format === 'json') {
    const text = plain(sentence(notice, around))
    const at = new Date(around.nowMs).toISOString()
    return JSON.stringify({ v: 1, at, namespace: around.namespace, text, link, command, ...harmless(notice) })
  }
  const where = link === null ? `\`${escaped(command)}\`` : `<${escaped(link)}|open in the console>`
  return JSON.stringify({ text: `${forChat(sentence(notice, around))}\n${where}` })
}

/** Text of ours, and between it text of others, which is harmless in no format. */
type Part = string | { readonly said: string }

/** Tags text of ours: a string in `${}` is of others, but for what `own` says. */
function line(ours: TemplateStringsArray, ...values: readonly (string | Own)[]): Part[] {
  return ours.flatMap((text, index): Part[] => {
    const value = values[index]
    if (value === undefined) return [text]
    return [text, typeof value === 'string' ? { said: value } : value.own]
  })
}

type Own = { readonly own: string }

function sentence(notice: Notice, { namespace, nowMs }: Surroundings): Part[] {
  return [...(namespace === '' ? [] : line`[${own(namespace)}] `), ...about(notice, nowMs)]
}

function about(notice: Notice, nowMs: number): Part[] {
  if (notice.kind === 'letters') return aboutLetters(notice, nowMs)
  if (notice.kind === 'breaker') {
    const openMs = nowMs - Date.parse(notice.since)
    return line`Breaker open: ${whoseOf(notice)} has not called its other side for ${length(openMs)}, in ${counted(notice.instances.length, 'process', 'processes')}`
  }
  if (notice.kind === 'headroom')
    return line`Retention: ${whoseOf(notice)} has ${counted(notice.messages, 'event')} before it, and the oldest ages out in ${length(notice.headroomMs)}`
  return line`Stream ${notice.stream} is ${own(Math.floor(notice.used * 100))} % full; full, it refuses what comes`
}

function aboutLetters(notice: Extract<Notice, { kind: 'letters' }>, nowMs: number): Part[] {
  const { code, letters, firstAt } = notice
  const reason = notice.reason.startsWith(`${code}: `) ? notice.reason.slice(code.length + 2) : notice.reason
  const first =
    notice.service === null
      ? line`Dead letter: an event that a spool kept was refused for good, ${code}: ${reason}`
      : line`Dead letter: ${whoseOf(notice)} gave up a message, ${code}: ${reason}`
  if (letters === 1) return first
  return [...first, ...line`, and ${own(letters - 1)} more in the last ${length(nowMs - Date.parse(firstAt))}`]
}

const own = (value: string | number): Own => ({ own: String(value) })

const whoseOf = ({ service, handler }: { service: string | null; handler: string | null }): string =>
  `${service ?? '?'}/${handler ?? '?'}`

const counted = (count: number, one: string, many = `${one}s`): Own => own(`${count} ${count === 1 ? one : many}`)

/** In whole units, rounded up, so that nothing lies outside. */
function length(ms: number): Own {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  if (seconds <= 60) return counted(seconds, 'second')
  const minutes = Math.ceil(seconds / 60)
  return minutes <= 120 ? counted(minutes, 'minute') : counted(Math.ceil(minutes / 60), 'hour')
}

const LONGEST = 300

/** On one line, without what acts on a terminal or turns the direction of writing, and not longer than people read. */
export function harmlessText(text: string): string {
  const shown = stripVTControlCharacters(text)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  const characters = Array.from(shown.slice(0, LONGEST * 2 + 2))
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join('')}…` : shown
}

const plain = (parts: readonly Part[]): string =>
  parts.map((part) => (typeof part === 'string' ? part : harmlessText(part.said))).join('')

/**
 * Text of others as code: nothing in it is a link, a mention or a format.
 * https://docs.slack.dev/messaging/formatting-message-text
 */
const forChat = (parts: readonly Part[]): string =>
  parts
    .map((part) => {
      if (typeof part === 'string') return escaped(part)
      const text = escaped(harmlessText(part.said).replaceAll('`', "'"))
      return text === '' ? '' : `\`${text}\``
    })
    .join('')

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function harmless(notice: Notice): object {
  return Object.fromEntries(
    Object.entries(notice).map(([name, value]: [string, unknown]) => {
      if (typeof value === 'string') return [name, harmlessText(value)]
      return [name, Array.isArray(value) ? value.slice(0, 20).map((one) => harmlessText(String(one))) : value]
    }),
  )
}

function linkOf(notice: Notice, consoleUrl: URL | undefined): string | null {
  if (!consoleUrl) return null
  const url = new URL(consoleUrl)
  const page = { letters: 'letters', breaker: 'handlers', headroom: 'handlers', stream: '' }[notice.kind]
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${page}`
  url.search = ''
  url.hash = ''
  if (notice.kind === 'letters') url.searchParams.set('group', notice.group)
  else if (notice.kind !== 'stream') {
    url.searchParams.set('service', notice.service)
    url.searchParams.set('handler', notice.handler)
  }
  return url.href
}

function commandOf(notice: Notice, namespace: string): string {
  const commands = { letters: 'dlq list', breaker: 'handlers list', headroom: 'handlers list', stream: 'streams' }
  const what = `${commands[notice.kind]}${notice.kind === 'letters' ? ` --group ${notice.group}` : ''}`
  return `malha ${what}${namespace === '' ? '' : ` --namespace ${namespace}`}`
}
