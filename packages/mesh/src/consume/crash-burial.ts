import { MeshError } from '../errors.ts'
import { classify } from '../failure/classify.ts'
import { type Envelope, envelopeOf } from '../message/envelope.ts'
import type { Burial, Delivery } from './delivery.ts'

/** So often its process must end, or its call not come back, before a message is dead of it: the first time beside others. */
export const MOST_CRASHES = 4

export const crashed = (times: number): string =>
  `${times} times its process ended or its call never came back while it was begun, the last ${times - 1} with nothing else running`

/** The end of a message that no error tells of. */
export function crashBurial(delivery: Delivery, detail: string): Burial {
  const { failures, failingSince } = delivery
  const envelope = envelopeIn(delivery)
  const verdict = classify(new MeshError('MESH_CRASHED', detail))
  const { code, message } = verdict
  return {
    error: undefined,
    decision: { kind: 'bury', verdict, code, message, failures, failingSince },
    ...(envelope && { envelope }),
  }
}

function envelopeIn(delivery: Delivery): Envelope | undefined {
  try {
    return envelopeOf(delivery)
  } catch {
    return undefined
  }
}
