import type { Mesh } from '@malha/mesh'
import { type DirectBatchOptions, jetstreamManager, type StoredMsg } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'

/** Patterns in one request at most: a server refuses more than 1024 results. */
const AT_ONCE = 500
/** In one answer: messages may have a megabyte. */
const BATCH_BYTES = 8 * 1024 ** 2

/**
 * The last message of each subject that fits one of the patterns (with the namespace). Nothing on the server changes, here
 * and below: no consumer is made.
 * @throws OperationsError OPERATIONS_UNREADABLE
 */
export async function lastOf(mesh: Mesh, stream: string, patterns: readonly string[]): Promise<StoredMsg[]> {
  const found: StoredMsg[] = []
  for (let from = 0; from < patterns.length; from += AT_ONCE) {
    const some = patterns.slice(from, from + AT_ONCE)
    found.push(...(await read(mesh, stream, { multi_last: some })))
  }
  return found
}

export type Next = { seq?: number; subject?: string; most: number }

/** Messages from a sequence on, of a subject or pattern (with the namespace), oldest first. */
export async function nextOf(mesh: Mesh, stream: string, { seq = 1, subject, most }: Next): Promise<StoredMsg[]> {
  return await read(mesh, stream, {
    seq: Math.max(1, seq),
    batch: most,
    max_bytes: BATCH_BYTES,
    ...(subject !== undefined && { next_by_subj: subject }),
  })
}

async function read(
  mesh: Mesh,
  stream: string,
  query: { multi_last: string[] } | DirectBatchOptions,
): Promise<StoredMsg[]> {
  const { direct } = await jetstreamManager(mesh.nats, { checkAPI: false })
  const found: StoredMsg[] = []
  try {
    const answers = 'multi_last' in query ? direct.getLastMessagesFor(stream, query) : direct.getBatch(stream, query)
    for await (const message of await answers) found.push(message)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 404) return []
    // A right that is missing is silence too: the answer would have come to an inbox.
    throw new OperationsError(
      'OPERATIONS_UNREADABLE',
      `stream ${stream} did not answer a direct read; its leader is away, or this user may not publish on $JS.API.DIRECT.GET.${stream}`,
      { cause },
    )
  }
  return found
}
