import { getStored, LETTER_HEADER, type Mesh } from '../../src/index.ts'

/** A letter as it lies in the stream. */
export type Letter = { code: string; reason: string; data: unknown }

/** Every dead letter of a mesh, oldest first. */
export async function deadLetters({ mesh }: { mesh: Mesh }): Promise<Letter[]> {
  const letters: Letter[] = []
  const stream = mesh.names.stream('DEAD_LETTERS')
  for (let seq = 1; ;) {
    const stored = await getStored(mesh.nats, stream, { seq, next_by_subj: mesh.names.subject('dlq.>') })
    if (!stored) return letters
    const { [LETTER_HEADER.code]: code = '', [LETTER_HEADER.reason]: reason = '' } = stored.headers
    letters.push({ code, reason: decodeURIComponent(reason), data: JSON.parse(stored.payload.toString()) as unknown })
    seq = stored.seq + 1
  }
}

/** How many messages a stream holds on a subject. */
export async function countOn({ mesh }: { mesh: Mesh }, stream: string, subject: string): Promise<number> {
  let count = 0
  for (let seq = 1; ; count++) {
    const stored = await getStored(mesh.nats, mesh.names.stream(stream), {
      seq,
      next_by_subj: mesh.names.subject(subject),
    })
    if (!stored) return count
    seq = stored.seq + 1
  }
}
