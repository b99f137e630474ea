import type { Mesh } from '@malha/mesh'
import { jsonOf } from './direct-message.ts'
import { nextOf } from './direct.ts'

/** A message that the server told it gave up. */
export type ToldGivenUp = { readonly seq: number; readonly at: string }

const SUBJECT = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES'
const MOST = 10_000

/** Where the server tells what it gave up of a durable. Names as on the server. */
export const advisoriesOf = (stream: string, durable: string): string => `${SUBJECT}.${stream}.${durable}`

/** What it told of a durable, as far as that is kept, oldest first. Needs `$JS.API.DIRECT.GET.ADVISORIES`. */
export async function readAdvisories(
  mesh: Mesh,
  { stream, durable }: { stream: string; durable: string },
): Promise<ToldGivenUp[]> {
  const captured = mesh.names.stream('ADVISORIES')
  const told = await nextOf(mesh, captured, { subject: advisoriesOf(stream, durable), most: MOST })
  return told.map((message) => {
    const { stream_seq: seq, timestamp: at } = jsonOf(message) as { stream_seq: number; timestamp: string }
    return { seq, at }
  })
}
