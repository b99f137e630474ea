import type { WriteStream } from 'node:tty'
import { createLogUpdate } from 'log-update'
import { createColors } from 'picocolors'
import type { Progress } from '../demo/progress.ts'
import { wantsColors } from './say.ts'
import { drawProgress, progressLine, showElapsed } from './progress-view.ts'

/** Where a run is shown while it lasts: a live view below what was said, or plain lines. */
export interface Stage {
  /** Adds a lasting line with the time. */
  readonly announce: (sentence: string) => void
  /** Brings the live view up to date. */
  readonly show: (progress: Progress) => void
  /** Ends the live view; its last state stays. */
  readonly end: () => void
}

const PLAIN_EVERY_MS = 3000

export type StageOptions = { out: WriteStream; startedAt: number }

/** A live view on a terminal; elsewhere a line every few seconds. */
export function openStage(options: StageOptions): Stage {
  return options.out.isTTY ? liveStage(options) : plainStage(options)
}

function liveStage({ out, startedAt }: StageOptions): Stage {
  const live = createLogUpdate(out)
  const colors = wantsColors(out)
  const pc = createColors(colors)
  return {
    announce: (sentence) => live.persist(`${pc.dim(showElapsed(Date.now() - startedAt))}  ${sentence}`),
    show: (progress) => live(`\n${drawProgress(progress, { width: out.columns, colors })}`),
    end: () => live.done(),
  }
}

function plainStage({ out, startedAt }: StageOptions): Stage {
  let last = 0
  return {
    announce: (sentence) => void out.write(`${showElapsed(Date.now() - startedAt)}  ${sentence}\n`),
    show(progress) {
      if (Date.now() - last < PLAIN_EVERY_MS) return
      last = Date.now()
      out.write(`${progressLine(progress)}\n`)
    },
    end: () => undefined,
  }
}
