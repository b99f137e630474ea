/**
 * One line of `strace -f -ttt -T -y`: `<thread> <seconds.micros> <what>`. Strings stand in it as C writes them, descriptors with
 * the path behind them (`11</store/1.blk>`); a call during which another thread was reported comes in two lines (strace(1)).
 */
import { Buffer } from 'node:buffer'

export type StraceLine = {
  thread: number
  /** Microseconds since 1970. */
  at: number
  what:
    | ({ kind: 'whole'; name: string } & End)
    | { kind: 'begun'; name: string; args: string }
    | ({ kind: 'ended'; name: string } & End)
    /** A signal, or the end of the thread or the process. */
    | { kind: 'note'; text: string }
}

const UNFINISHED = ' <unfinished ...>'
const LINE = /^(\d+) +(\d+)\.(\d{6}) /
const RESUMED = /^<\.\.\. (\w+) resumed>/

/** @param line each character a byte (`latin1`) @throws Error on a line that is none of strace */
export function readLine(line: string): StraceLine {
  const head = LINE.exec(line)
  if (!head) throw new Error(`no line of strace: ${excerpt(line)}`)
  const rest = line.slice(head[0].length)
  return { thread: Number(head[1]), at: Number(head[2]! + head[3]!), what: readWhat(rest) }
}

function readWhat(rest: string): StraceLine['what'] {
  if (rest.startsWith('+++') || rest.startsWith('---')) return { kind: 'note', text: rest }
  const resumed = RESUMED.exec(rest)
  if (resumed) return { kind: 'ended', name: resumed[1]!, ...readEnd(rest.slice(resumed[0].length)) }
  const open = rest.indexOf('(')
  if (open < 1) throw new Error(`no call: ${excerpt(rest)}`)
  const name = rest.slice(0, open)
  if (rest.endsWith(UNFINISHED)) return { kind: 'begun', name, args: rest.slice(open + 1, -UNFINISHED.length) }
  return { kind: 'whole', name, ...readEnd(rest.slice(open + 1)) }
}

type End = { args: string; result: string; tookUs: number }

const RESULT = /\) += (.*?)(?: <(\d+)\.(\d{6})>)?$/

/** `<args>) = <result> <<seconds>>`. Looked for behind the last quote, as a string may hold anything. */
function readEnd(text: string): End {
  const from = text.lastIndexOf('"') + 1
  const found = RESULT.exec(text.slice(from))
  if (!found) throw new Error(`no result: ${excerpt(text)}`)
  const [, result = '', seconds = '0', micros = '0'] = found
  return { args: text.slice(0, from + found.index), result, tookUs: Number(seconds) * 1e6 + Number(micros) }
}

/** The arguments of a call, as they stand there. */
export function splitArgs(args: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < args.length; at += 1) {
    const char = args[at]
    if (char === '"') at = endOfString(args, at)
    else if (char === '<') at = endOfPath(args, at)
    else if (char === '[' || char === '{') depth += 1
    else if (char === ']' || char === '}') depth -= 1
    else if (char === ',' && depth === 0) {
      parts.push(args.slice(from, at))
      from = at + 2
    }
  }
  if (from < args.length) parts.push(args.slice(from))
  return parts
}

/** `11</store/1.blk>` or `9<socket:[17]>`. */
export function readDescriptor(text: string): { fd: number; path: string } | undefined {
  const match = /^(-?\d+|AT_FDCWD)<(.*)>/.exec(text)
  if (!match) return undefined
  return { fd: match[1] === 'AT_FDCWD' ? -100 : Number(match[1]), path: readString(`"${match[2]!}"`).toString() }
}

/** Every string of an argument, one after the other: one of `write`, several of `writev`. */
export function readData(argument: string): Buffer {
  const parts: Buffer[] = []
  for (let at = argument.indexOf('"'); at >= 0; at = argument.indexOf('"', at)) {
    const end = endOfString(argument, at)
    if (argument.startsWith('...', end + 1)) throw new Error(`strace cut a string short: ${excerpt(argument)}`)
    parts.push(readString(argument.slice(at, end + 1)))
    at = end + 1
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, b: 8 }

/** A quoted string as C writes it. */
export function readString(quoted: string): Buffer {
  const bytes = Buffer.allocUnsafe(quoted.length)
  let length = 0
  let at = 1
  const last = quoted.length - 1
  while (at < last) {
    const next = quoted.indexOf('\\', at)
    const end = next < 0 || next > last ? last : next
    length += bytes.write(quoted.slice(at, end), length, 'latin1')
    if (end === last) break
    const octal = /^[0-7]{1,3}/.exec(quoted.slice(end + 1, end + 4))
    if (octal) bytes[length] = Number.parseInt(octal[0], 8)
    else bytes[length] = ESCAPES[quoted[end + 1]!] ?? quoted.charCodeAt(end + 1)
    length += 1
    at = end + 1 + (octal?.[0].length ?? 1)
  }
  return bytes.subarray(0, length)
}

function endOfString(text: string, open: number): number {
  for (let at = open + 1; ; at += 1) {
    const quote = text.indexOf('"', at)
    if (quote < 0) throw new Error(`a string has no end: ${excerpt(text)}`)
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote
    at = quote
  }
}

/** strace escapes `>` in paths as octal, so the first one is the end. */
function endOfPath(text: string, open: number): number {
  const end = text.indexOf('>', open)
  if (end < 0) throw new Error(`a path has no end: ${excerpt(text)}`)
  return end
}

function excerpt(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
