import { minutes } from '@malha/mesh'
import { expect, test } from 'vitest'
import { measureLetters } from './measure.ts'
import { boundsOf } from './result.ts'

/** What depends on how busy the machine is; `node test/letters/main.ts` judges that too. */
const OF_TIME = /page|group|cancel$/

test(
  '200,000 letters are looked at and sent again within bounds of memory, each once',
  { timeout: minutes(60) },
  async () => {
    const result = await measureLetters({ letters: 200_000, perSecond: 2000, say: (line) => console.log(line) })
    expect(boundsOf(result).filter(({ what, holds }) => !holds && !OF_TIME.test(what))).toEqual([])
  },
)
