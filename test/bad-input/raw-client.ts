import { once } from 'node:events'
import { connect } from 'node:net'

/** Stores a message byte for byte as given, as no client library would write it. `header` is what follows `NATS/1.0`. */
export async function publishBytes(
  url: string,
  subject: string,
  { header, payload }: { header?: Uint8Array; payload: Uint8Array },
): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const inbox = `_INBOX.${subject.length}${Math.random().toString(36).slice(2)}`
  socket.setEncoding('latin1')
  let said = ''
  socket.on('data', (text: string) => (said += text))
  await once(socket, 'connect')
  const block = header && Buffer.concat([Buffer.from('NATS/1.0\r\n'), header, Buffer.from('\r\n')])
  const line = block
    ? `HPUB ${subject} ${inbox} ${block.length} ${block.length + payload.length}\r\n`
    : `PUB ${subject} ${inbox} ${payload.length}\r\n`
  socket.write('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')
  socket.write(`SUB ${inbox} 1\r\n`)
  socket.write(Buffer.concat([Buffer.from(line), block ?? Buffer.alloc(0), payload, Buffer.from('\r\nPING\r\n')]))
  try {
    while (!said.includes('"seq":')) {
      if (/-ERR|"error"|\r\n503/.test(said)) throw new Error(`${subject} was not stored: ${said}`)
      await once(socket, 'data')
    }
  } finally {
    socket.destroy()
  }
}
