import type { Sources } from '../journey/look-up.ts'
import { lastOf } from '../read/direct.ts'
import type { Answer } from './why.ts'
import { tokenOf } from './records.ts'

/** Tokens of a type, at most. */
const MOST_TOKENS = 8

/** Of what is in no stream of events: it may be published for later, by its id or the key its publisher gave. */
export async function delayed(
  { mesh, topology, archive }: Sources,
  asked: string,
): Promise<Pick<Answer, 'situation' | 'sentence' | 'next'>> {
  const delays = topology.streams.find(({ kind }) => kind === 'delays')
  const token = tokenOf(asked)
  if (delays && token !== undefined) {
    const patterns = Array.from({ length: MOST_TOKENS - 1 }, (_, index) =>
      ['_id', '_key'].map((kind) => mesh.names.subject(`delay.at.${'*.'.repeat(index + 2)}${kind}.${token}`)),
    )
    for (const { headers } of await lastOf(mesh, delays.name, patterns.flat())) {
      const { 'malha-due': due, 'ce-type': type = 'an event' } = headers.record()
      if (due)
        return {
          situation: 'delayed',
          sentence: `${type} ${asked} is published for later: it comes at ${due}`,
          next: undefined,
        }
    }
  }
  return {
    situation: 'unknown',
    sentence: `nothing here has the key or id ${asked}: it was never published, or has left its stream`,
    next: archive ? undefined : `malha archive query --id ${asked}`,
  }
}
