import type { CopyProgress } from '@malha/operations'
import { showBytes } from '../view/bytes.ts'
import { say } from '../view/say.ts'
import { visible } from '../view/visible.ts'

/** A large stream is told of once in so many bytes. */
const EVERY_BYTES = 256 * 1024 ** 2

/** Tells how far streams are: each when it is done, large ones on their way too. */
export function sayCopied(done: string): (progress: CopyProgress) => void {
  const told = new Map<string, number>()
  return ({ stream, bytes, isDone }) => {
    const before = told.get(stream) ?? 0
    if (!isDone && bytes - before < EVERY_BYTES) return
    told.set(stream, bytes)
    say(isDone ? `${visible(stream)} ${done}: ${showBytes(bytes)}` : `${visible(stream)}: ${showBytes(bytes)} …`)
  }
}
