import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../bench/ratio.ts'
import type { ConsoleClient } from './console-client.ts'
import type { Letters } from './result.ts'

const TIMES = 20

/** A page asks a console that was just started, again and again, until what it is told is current. */
export async function readFirst(console: ConsoleClient, letters: number): Promise<Letters['firstReading']['console']> {
  const startedAt = performance.now()
  const tookMs: number[] = []
  for (;;) {
    const askedAt = performance.now()
    const { asOf, total } = await console.letters('limit=50')
    tookMs.push(performance.now() - askedAt)
    if (asOf.state === 'current') {
      if (total !== letters) throw new Error(`the console knows ${total} of ${letters} letters and says it is current`)
      const { peakMb } = console.command.memory
      const meanwhile = tookMs.slice(0, -1)
      return {
        ms: performance.now() - startedAt,
        peakMb,
        firstAnswerMs: tookMs[0]!,
        answersMeanwhile: meanwhile.length,
        slowestAnswerMs: Math.max(0, ...meanwhile),
      }
    }
    await sleep(200)
  }
}

/** How long the console takes to answer what a page asks. */
export async function answersOf(console: ConsoleClient, group: string): Promise<Letters['answers']> {
  const { letters } = await console.letters('limit=50')
  const { seq, id, key, at } = letters.at(-1)!
  const { letters: middle } = await console.letters(`limit=1&after=${Math.floor(seq / 2)}`)
  const asked = {
    'the first page': '',
    'a page in the middle': `after=${middle[0]!.seq}`,
    'those that are open': 'state=open',
    'a group': `group=${group}`,
    'a group, in the middle': `group=${group}&after=${middle[0]!.seq}`,
    'of one handler': 'service=depot&handler=send',
    'with a code': 'code=MESH_REJECTED',
    'of a key, of a million': `key=${key}`,
    'of an id': `id=${id}`,
    'of a time on': `since=${encodeURIComponent(at)}`,
    'of a group, until a time': `group=${group}&until=${encodeURIComponent(middle[0]!.at)}`,
  }
  const answers: Letters['answers'] = {}
  for (const [what, query] of Object.entries(asked)) {
    const tookMs: number[] = []
    let found = 0
    for (let n = 0; n < TIMES; n++) {
      const askedAt = performance.now()
      found = (await console.letters(`limit=50${query && `&${query}`}`)).total
      tookMs.push(performance.now() - askedAt)
    }
    answers[what] = { medianMs: median(tookMs), slowestMs: Math.max(...tookMs), found }
  }
  return answers
}
