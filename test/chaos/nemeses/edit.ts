import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@malha/testing'
import { correctionOf } from '../history/correction.ts'
import type { CommandLine } from '../system.ts'
import type { Edited, Nemesis } from './nemesis.ts'

const MOST = 3
/** While the brokers are away nothing can be said of letters. */
const LISTED_WITHIN_MS = 90_000

type Listed = { seq: number; id: string }

/** An operator corrects some dead letters, and sends these again; the redrive is killed at the end. */
export const edit: Nemesis = {
  name: 'edit',
  on: ['single', 'cluster'],
  async begin({ malha }, random) {
    const letters = await eventually(() => openLetters(malha), { timeoutMs: LISTED_WITHIN_MS, intervalMs: 500 })
    const chosen = new Set(Array.from({ length: Math.min(MOST, letters.length) }, () => random.pick(letters)))
    const edited = await Promise.all(
      Array.from(chosen, async (letter): Promise<Edited> => ({
        id: letter.id,
        isCertain: await corrected(malha, letter),
      })),
    )
    const which = [...chosen].flatMap(({ seq }) => ['--letter', String(seq)])
    const command = chosen.size > 0 && malha.begin('dlq', 'redrive', ...which, '--most', '1000', '--json')
    return {
      target: `${chosen.size} dead letters of load/doubt`,
      edited,
      end: async () => void (command && (await command.kill())),
    }
  },
}

async function openLetters(malha: CommandLine): Promise<Listed[]> {
  const of = ['--service', 'load', '--handler', 'doubt', '--state', 'open', '--limit', '50', '--json']
  const { code, stdout, stderr } = await malha.run('dlq', 'list', ...of)
  if (code !== 0) throw new Error(`malha dlq list ended with ${String(code)}: ${stderr}`)
  return (JSON.parse(stdout) as { letters: Listed[] }).letters
}

/** Whether it certainly is; a command that ended otherwise may have done it all the same. */
async function corrected(malha: CommandLine, { seq, id }: Listed): Promise<boolean> {
  const shown = await malha.run('dlq', 'show', String(seq), '--json')
  if (shown.code !== 0) return false
  const { payload } = JSON.parse(shown.stdout) as { payload: string }
  const folder = await mkdtemp(join(tmpdir(), 'malha-edit-'))
  try {
    const file = join(folder, 'payload.json')
    await writeFile(file, JSON.stringify({ ...(JSON.parse(payload) as object), text: correctionOf(id) }))
    const how = ['--payload-file', file, '--no-redrive', '--reason', 'a day like this', '--json']
    return (await malha.run('dlq', 'edit', String(seq), ...how)).code === 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
