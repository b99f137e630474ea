import { horizonOf, untilBack } from '../../failure/retry-policy.ts'
import { claimedAt } from '../../run/record.ts'
import type { Burial, Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Judgement } from '../try-once.ts'

type Options = Pick<RunnerOptions, 'nc' | 'names' | 'def' | 'lane'>

/**
 * The end of a message of a run that failed again, and that others had before: its attempts are counted anew by each owner, so what
 * bounds it over all of them is how long its policy may take, from its claim on. Undefined where it may be tried again.
 */
export async function endOfTime(
  { nc, names, def, lane }: Options,
  { run }: Delivery,
  { decision, envelope }: Extract<Judgement, { kind: 'retry' }>,
): Promise<Burial | undefined> {
  if (!run || run.isLost || decision.pausesHandler) return undefined
  const since = await claimedAt({ nc, names }, run)
  if (since === undefined) return undefined
  const forMs = (await lane.clock.now()) - since
  if (forMs < horizonOf(decision.verdict.isPatient ? untilBack : def.retry)) return undefined
  const { verdict, failures, failingSince } = decision
  const message = `attempts failed for ${Math.round(forMs / 1000)} s, in several instances, the last with ${verdict.code}: ${verdict.message}`
  return {
    error: undefined,
    decision: { kind: 'bury', verdict, failures, failingSince, code: 'MESH_RETRIES_EXHAUSTED', message },
    ...(envelope && { envelope }),
  }
}
