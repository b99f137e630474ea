import { MeshError, ReplyError, request } from '@malha/mesh'
import { isFull, readReply } from '../../../packages/mesh/src/publish/pub-ack.ts'
import { readAnswer } from '../../../packages/mesh/src/request/read-answer.ts'
import { requestEnvelope } from '../../../packages/mesh/src/request/request-envelope.ts'
import { decodePayload } from '../../../packages/mesh/src/message/validate.ts'
import { incoming, REQUEST_HEADER } from '../../../packages/mesh/src/request/wire.ts'
import { HEADER } from '../../../packages/mesh/src/message/headers.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { received } from './received.ts'
import { z } from 'zod'

const Amount = z.object({ amount: z.number() })
const quote = request('price.quote', {
  schema: Amount,
  reply: Amount,
  errors: { 'price.unknown': z.object({ id: z.string() }) },
  version: 2,
  upcast: (data) => ({ amount: (data as { old: number }).old }),
})

const encoder = new TextEncoder()
const NAMES = [...Object.values(REQUEST_HEADER), ...Object.values(HEADER)] as [string, ...string[]]
const VALUES = [
  'value',
  'error',
  'part',
  'end',
  'MESH_BUSY',
  'MESH_REPLY_TOO_LARGE',
  'price.unknown',
  '503',
  'application/json',
  '1.0',
  'price.quote',
  'price.quote/2',
  'price.quote/9',
  '/x',
  'toString',
  '__proto__',
] as [string, ...string[]]

/** What others answer, ask and confirm is read, or refused by name: never an error of the language. */
export const answers: Target = {
  name: 'answers',
  async run(bytes) {
    const input = new Input(bytes)
    await input.pick([answered, asked, confirmed])(input)
  },
  seeds: ['\0', '\x01', '\x02{"stream":"A","seq":1}', '\x02{"error":{"code":503,"err_code":10008}}'].map((text) =>
    encoder.encode(text),
  ),
  words: ['{"amount":1}', '{"old":1}', '{"id":"1"}', '"err_code":10077', '"duplicate":true'],
}

function someMessage(input: Input): ReturnType<typeof incoming> {
  const lines = input.list(8, () => `${input.pick(NAMES)}: ${input.flag() ? input.pick(VALUES) : input.text(30)}\r\n`)
  const first = input.pick(['NATS/1.0', 'NATS/1.0 503 No Responders', 'NATS/1.0 100 Idle'])
  const block = encoder.encode(`${first}\r\n${lines.join('')}\r\n`)
  const payload = input.flag()
    ? encoder.encode(input.pick(['{"amount":1}', '{"old":2}', '{"id":"x"}', '']))
    : input.bytes()
  return incoming(received({ subject: encoder.encode('price.quote'), reply: '_INBOX.1', block, payload }, 0))
}

async function answered(input: Input): Promise<void> {
  try {
    const answer = (await readAnswer(quote, someMessage(input))) as { amount: number }
    check(typeof answer.amount === 'number', 'an answer does not fit its schema', answer)
  } catch (error) {
    check(error instanceof MeshError || error instanceof ReplyError, 'an answer is refused without a code', error)
  }
}

async function asked(input: Input): Promise<void> {
  const message = someMessage(input)
  try {
    const envelope = requestEnvelope(quote, message)
    const data = (await decodePayload(quote, envelope, message.payload)) as { amount: number }
    check(typeof data.amount === 'number', 'a question does not fit its schema', data)
  } catch (error) {
    check(error instanceof MeshError, 'a question is refused without a code', error)
  }
}

function confirmed(input: Input): void {
  const status = input.flag() ? input.upTo(600) : undefined
  const read = readReply(status, Buffer.from(input.rest()).toString())
  if (read.kind === 'stored') {
    check(Number.isSafeInteger(read.seq) && read.seq >= 1, 'stored at no sequence', read)
    check(read.stream !== '', 'stored in no stream', read)
  } else if (read.kind === 'refused') {
    check(typeof read.description === 'string' && Number.isFinite(read.errCode), 'a refusal that cannot be told', read)
    isFull(read.errCode, read.description)
  } else check(typeof read.why === 'string', 'a reason that is none', read)
}
