import { getStored, type Mesh, runMessage } from '@malha/mesh'
import { jetstream } from '@nats-io/jetstream'
import { headers as newHeaders, type MsgHdrs } from '@nats-io/nats-core'
import { OperationsError } from '../errors.ts'
import type { ListedLetter } from '../letters/letter-index.ts'
import { readWhole, type WholeLetter } from '../letters/read-whole.ts'

type Content = { headers: readonly (readonly [string, string])[]; payload: Uint8Array }

/**
 * Sends a letter's message to its handler's lane. False where there is nothing left to send: the letter was removed, or has no
 * payload and the event is not in its stream either.
 */
export async function sendLetter(mesh: Mesh, run: string, listed: ListedLetter): Promise<boolean> {
  const { names, nats } = mesh
  const letter = await unlessGone(readWhole(mesh, listed.seq))
  const content = letter && (await contentOf(mesh, letter))
  const storedAt = /@(\d+)$/.exec(listed.subject)?.[1]
  const { service, handler, origin } = listed
  if (!content || !storedAt || !service || !handler || origin.epoch === undefined) return false
  const { subject, headers } = runMessage(names, {
    run,
    service,
    handler,
    origin: {
      stream: origin.stream,
      epoch: origin.epoch,
      seq: Number(origin.seq),
      storedAt,
      subject: origin.subject,
      publishedAt: origin.publishedAt ?? new Date(Number(BigInt(storedAt) / 1_000_000n)).toISOString(),
    },
    headers: content.headers,
    record: names.letterRecord(listed.subject),
    expected: listed.recordSeq,
  })
  await jetstream(nats, { checkAPI: false }).publish(subject, content.payload, {
    headers: asHeaders(headers),
    timeout: SEND_MS,
  })
  return true
}

/** An election takes up to nine seconds. */
const SEND_MS = 15_000

async function unlessGone(letter: Promise<WholeLetter>): Promise<WholeLetter | undefined> {
  try {
    return await letter
  } catch (error) {
    if (error instanceof OperationsError && error.code === 'OPERATIONS_LETTER_GONE') return undefined
    throw error
  }
}

/** What another client published may not fit into a letter; then it is where it always was. */
async function contentOf(mesh: Mesh, letter: WholeLetter): Promise<Content | undefined> {
  if (letter.hasPayload) return letter
  const { stream, seq, publishedAt } = letter.origin
  const stored = await getStored(mesh.nats, stream, { seq: Number(seq) })
  const isSame = stored !== undefined && Date.parse(stored.time) === Date.parse(publishedAt ?? '')
  return isSame ? { headers: stored.pairs, payload: stored.payload } : undefined
}

function asHeaders(pairs: readonly (readonly [string, string])[]): MsgHdrs {
  const made = newHeaders()
  for (const [name, value] of pairs) made.append(name, value)
  return made
}
