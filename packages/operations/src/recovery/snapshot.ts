/**
 * The server's own copy of a stream, as `nats stream backup` and `nats stream restore` move it: pieces of an S2 compressed
 * tar, each answered, then an empty one. Source: github.com/nats-io/jsm.go, snapshots.go; the client has no call for it.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { ownInbox } from '@malha/mesh'
import type { StreamConfig, StreamState } from '@nats-io/jetstream'
import type { Msg, NatsConnection } from '@nats-io/nats-core'

/** A stream as the server says that it is, when its copy begins or when it was made of one. */
export type Snapshot = { readonly config: StreamConfig; readonly state: StreamState }

export type Copied = Snapshot & { readonly bytes: number; readonly sha256: string }

type Answer = { error?: { code: number; description: string } }

/** A server that says nothing for so long has gone away: it waits a few seconds for an answer itself. */
const SILENT_MS = 30_000
const ASK_MS = 30_000
/** The server checks and indexes all of it before it answers. */
const LAST_ANSWER_MS = 3_600_000
const PIECE_BYTES = 128 * 1024

/**
 * Writes the messages of a stream into a file, without its consumers. The server goes on storing and removing messages
 * meanwhile: what it has removed by then is not in it, nor is what it has stored since. Needs `$JS.API.STREAM.SNAPSHOT.<stream>` and to publish `$JS.SNAPSHOT.ACK.<stream>.>`.
 * @throws Error with what the server said
 */
export async function copyStream(
  nats: NatsConnection,
  { stream, file, onBytes }: { stream: string; file: string; onBytes: (bytes: number) => void },
): Promise<Copied> {
  const inbox = ownInbox(nats)
  const pieces = nats.subscribe(inbox)
  const out = await open(file, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  let isSilent = false
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      isSilent = true
      pieces.unsubscribe()
    }, SILENT_MS)
  }
  try {
    const request = { deliver_subject: inbox, no_consumers: true, jsck: true, chunk_size: PIECE_BYTES }
    const said = await ask<Snapshot>(nats, `$JS.API.STREAM.SNAPSHOT.${stream}`, JSON.stringify(request))
    heard()
    let isWhole = false
    for await (const piece of pieces) {
      heard()
      if (piece.data.length === 0) {
        const { code = 0, description = '' } = piece.headers ?? {}
        if (code !== 0 && code !== 204) throw new Error(`the server broke it off: ${code} ${description}`)
        isWhole = true
        break
      }
      // A disk that is nearly full takes a part of it, and says no more than that.
      await out.writeFile(piece.data)
      hash.update(piece.data)
      bytes += piece.data.length
      if (piece.reply) piece.respond()
      onBytes(bytes)
    }
    if (!isWhole) throw new Error(isSilent ? 'the server has gone silent' : 'the connection was closed')
    await out.sync()
    return { config: said.config, state: said.state, bytes, sha256: hash.digest('hex') }
  } finally {
    clearTimeout(timer)
    pieces.unsubscribe()
    await out.close()
  }
}

/**
 * Has the server make a stream of such a file. Needs `$JS.API.STREAM.RESTORE.<stream>` and to publish
 * `$JS.SNAPSHOT.RESTORE.<stream>.*`.
 * @throws Error with what the server said; what there is of the stream then is to be removed
 */
export async function sendCopy(
  nats: NatsConnection,
  { config, state, file, onBytes }: Snapshot & { file: string; onBytes: (bytes: number) => void },
): Promise<Snapshot> {
  const subject = `$JS.API.STREAM.RESTORE.${config.name}`
  const { deliver_subject: to } = await ask<{ deliver_subject: string }>(
    nats,
    subject,
    JSON.stringify({ config, state }),
  )
  let sent = 0
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>) {
    faultIn(await nats.request(to, piece, { timeout: ASK_MS }))
    onBytes((sent += piece.length))
  }
  const last = await nats.request(to, '', { timeout: LAST_ANSWER_MS })
  faultIn(last)
  return last.json<Snapshot>()
}

/** SHA-256 of a file, hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) hash.update(piece)
  return hash.digest('hex')
}

async function ask<Said>(nats: NatsConnection, subject: string, body: string): Promise<Said> {
  const answer = await nats.request(subject, body, { timeout: ASK_MS })
  faultIn(answer)
  return answer.json<Said>()
}

function faultIn(answer: Msg): void {
  if (answer.data.length === 0) return
  const { error } = answer.json<Answer>()
  if (error) throw new Error(`${error.code} ${error.description}`)
}
