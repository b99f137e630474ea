/** How a payload becomes bytes. A field of the contract; JSON is the one built. */
export interface Codec {
  /** The `content-type` header. */
  readonly contentType: string
  /** @throws TypeError when `data` cannot be represented */
  encode(data: unknown): Uint8Array
  /** @throws when `bytes` are not of this format */
  decode(bytes: Uint8Array): unknown
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** JSON in UTF-8. Bytes that are not UTF-8 are refused, never replaced. */
export const json: Codec = {
  contentType: 'application/json',
  encode(data) {
    const text = JSON.stringify(data) as string | undefined
    if (text === undefined) throw new TypeError('this value has no JSON form')
    // Out of Node's pool: a TextEncoder makes an ArrayBuffer of its own each time, which takes twice as long.
    return Buffer.from(text)
  },
  decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
}

/** Where JSON breaks off, without V8's words: they repeat the text around it, which may be a secret, and logs print causes. */
export function faultPlace(error: unknown): string {
  const place = /position \d+( \(line \d+ column \d+\))?/.exec(error instanceof Error ? error.message : '')?.[0]
  return place ? `, at ${place}` : ''
}
