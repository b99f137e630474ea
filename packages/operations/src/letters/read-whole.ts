import { getStored, LETTER_HEADER, type Mesh, type Names } from '@malha/mesh'
import type { Content } from '../read/read-these.ts'
import { OperationsError } from '../errors.ts'
import type { Described, Sensitivity, ShownPayload } from '../redaction/sensitivity.ts'
import { type Letter, readLetter } from './letter.ts'

/** What a letter has of its original. */
export type LetterContent = {
  /** The original's own, as they came; not those of the letter. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly payload: Uint8Array
  /** Whether the letter has them; another client's event may leave no room for its own bytes. */
  readonly hasPayload: boolean
}

/** All of a letter. */
export type WholeLetter = Letter & LetterContent & { readonly stack: string | undefined }

/** A letter to show: without what its contract marks as sensitive. */
export type ShownLetter = WholeLetter & {
  /** How many values of the payload are hidden, and why all of it is where it is. */
  readonly redaction: Omit<ShownPayload, 'payload'>
}

/** The letter as it may be shown. */
export function shownLetter({ names }: Mesh, sensitivity: Sensitivity, letter: WholeLetter): ShownLetter {
  const { payload, ...redaction } = sensitivity.show({ ...describedBy(names, letter), payload: letter.payload })
  return { ...letter, payload, redaction }
}

/** Whose contract its payload has. */
export const describedBy = (names: Names, { type, origin }: Letter): Described => ({
  type,
  subject: names.strip(origin.subject),
})

/**
 * One letter from its stream's leader: by its number or its subject.
 * @throws OperationsError OPERATIONS_LETTER_GONE
 */
export async function readWhole({ names, nats }: Mesh, letter: number | string): Promise<WholeLetter> {
  const query = typeof letter === 'number' ? { seq: letter } : { last_by_subj: names.subject(letter) }
  const stored = await getStored(nats, names.stream('DEAD_LETTERS'), query)
  if (!stored) throw new OperationsError('OPERATIONS_LETTER_GONE', `letter ${letter} is not in its stream (any more)`)
  const stack = stored.headers[LETTER_HEADER.stack]
  return {
    ...readLetter(names, { ...stored, payloadBytes: stored.payload.length }),
    stack: stack && Buffer.from(stack, 'base64').toString(),
    ...contentOf(stored),
  }
}

/** Of what a letter is made of. */
export function contentOf({ pairs, payload }: Omit<Content, 'subject'>): LetterContent {
  const headers: (readonly [string, string])[] = []
  let hasPayload = true
  for (const pair of pairs) {
    const [name, value] = pair
    if (!NOT_ITS_OWN.test(name)) headers.push(pair)
    else if (value === 'left-out' && MAY_BE_LEFT_OUT.has(name.toLowerCase())) hasPayload = false
  }
  return { headers, payload, hasPayload }
}

const NOT_ITS_OWN = /^(malha-dlq-|nats-)/i
const MAY_BE_LEFT_OUT: ReadonlySet<string> = new Set([LETTER_HEADER.payload, LETTER_HEADER.headers])
