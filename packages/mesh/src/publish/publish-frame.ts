import type { HeaderBlock } from '../message/headers.ts'

type Frame = { subject: string; reply: string; block: HeaderBlock; payload: Uint8Array }

/** A publish as it is on the wire, in one piece: each further one takes longer than to copy this. */
export function publishFrame({ subject, reply, block, payload }: Frame): Buffer {
  const bytes = block.length + payload.length
  const command = `HPUB ${subject} ${reply} ${block.length} ${bytes}\r\n`
  const frame = Buffer.allocUnsafe(Buffer.byteLength(command) + bytes + 2)
  let end = frame.write(command)
  end += frame.write(block.text, end)
  frame.set(payload, end)
  frame.write('\r\n', end + payload.length)
  return frame
}
