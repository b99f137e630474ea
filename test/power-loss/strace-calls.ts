import { readFile } from 'node:fs/promises'
import { readLine } from './strace-line.ts'

/** A system call that came to its end. What it did, it did between the two times. */
export type Call = {
  name: string
  args: string
  result: string
  /** Microseconds since 1970. */
  begunAt: number
  endedAt: number
}

/** Calls that had not ended when the process did have no effect that anybody can name: they get this end. */
export const NEVER: number = Number.MAX_SAFE_INTEGER

/**
 * The calls of a process in the order in which they ended. Those it died in come last, with an empty result.
 * @param text of `strace -f -ttt -T -y`, each character a byte
 */
export function readCalls(text: string): Call[] {
  const calls: Call[] = []
  const open = new Map<number, { name: string; args: string; begunAt: number }>()
  for (const line of linesOf(text)) {
    const { thread, at, what } = readLine(line)
    if (what.kind === 'whole') calls.push(callOf(what, at, at + what.tookUs))
    else if (what.kind === 'begun') open.set(thread, { name: what.name, args: what.args, begunAt: at })
    else if (what.kind === 'ended') {
      const begun = open.get(thread)
      if (begun?.name !== what.name) throw new Error(`thread ${thread} ends a ${what.name} that it did not begin`)
      open.delete(thread)
      calls.push(callOf({ ...what, args: begun.args + what.args }, begun.begunAt, at))
    }
  }
  const left = [...open.values()].map((begun) => ({ ...begun, result: '', endedAt: NEVER }))
  return [...calls, ...left.toSorted((a, b) => a.begunAt - b.begunAt)]
}

const callOf = (what: Pick<Call, 'name' | 'args' | 'result'>, begunAt: number, endedAt: number): Call => {
  const { name, args, result } = what
  return { name, args, result, begunAt, endedAt }
}

/** @throws Error when strace was not done with the file */
export async function readCallsFile(file: string): Promise<Call[]> {
  const text = await readFile(file, 'latin1')
  if (!isWhole(text)) throw new Error(`${file} does not end with the end of the process`)
  return readCalls(text)
}

/** Whether the first process, which is in the first line, was seen to end. */
export function isWhole(text: string): boolean {
  const first = /^\d+/.exec(text)?.[0]
  return first !== undefined && new RegExp(`(^|\n)${first} +[0-9.]+ \\+\\+\\+ (killed|exited)`).test(text.slice(-4096))
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from)
    if (end < 0) return
    yield text.slice(from, end)
    from = end + 1
  }
}
