/** On an event that was brought back from the archive: where it stood, `<STREAM>.<epoch>.<seq>@<stored, unix ns>`. Part of the wire. */
export const REBUILT_FROM = 'malha-rebuilt-from'

type Place = { readonly stream: string; readonly epoch: number; readonly seq: number }

/** Names the place of an event. `stream` as the server names it. */
export const rebuiltFrom = ({ stream, epoch, seq }: Place, storedAtNs: string): string =>
  `${stream}.${epoch}.${seq}@${storedAtNs}`

/** When an event that was brought back had been stored first, unix ns; undefined for any other, and for one of another place. */
export function firstStoredAt(headers: Readonly<Record<string, readonly string[]>>, place: Place): string | undefined {
  const from = headers[REBUILT_FROM]?.[0]
  if (from === undefined) return undefined
  const [at, ns = ''] = from.split('@')
  return at === `${place.stream}.${place.epoch}.${place.seq}` && /^\d{10,19}$/.test(ns) ? ns : undefined
}
