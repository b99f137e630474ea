import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { isObject } from '../given.ts'
import { isServiceName } from '../service/service-names.ts'
import { unheardSubject } from '../topology/api-errors.ts'
import type { Names } from '../topology/names.ts'
import type { InstanceStatus } from './status.ts'

/** How long answers are waited for in all, and after the last one, ms. */
const WAIT_MS = 1000
const QUIET_MS = 250

/**
 * Asks every process that runs one of these services how it is, and gives what they say, by service and name. Resolves when none of a
 * service has answered for a quarter of a second, after a second at the most: who is busier than that is missing. Nothing is
 * stored. Needs to publish on `_malha.status.<service>`.
 * @throws PermissionViolationError, or that the connection is closed
 */
export async function askStatus(
  place: { nats: NatsConnection; names: Names },
  services: readonly string[],
): Promise<InstanceStatus[]> {
  // A name that is none, such as anybody may write down, would be another subject.
  const named = [...new Set(services)].filter(isServiceName)
  const answers = await Promise.all(named.map((service) => askOne(place, service)))
  const order = ({ service, instance, id }: InstanceStatus): string => `${service} ${instance} ${id}`
  return answers.flat().sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

async function askOne(
  { nats, names }: { nats: NatsConnection; names: Names },
  service: string,
): Promise<InstanceStatus[]> {
  const answers: InstanceStatus[] = []
  const endsAt = performance.now() + WAIT_MS
  try {
    const options = { strategy: 'stall', maxWait: WAIT_MS, stall: QUIET_MS } as const
    for await (const msg of await nats.requestMany(names.status(service), '', options)) {
      const answer = readAnswer(msg, service)
      if (answer) answers.push(answer)
      if (performance.now() > endsAt) break
    }
  } catch (error) {
    if (unheardSubject(error) === undefined) throw error
  }
  return answers
}

/** Anybody may answer; what is no answer of an instance is passed over. */
function readAnswer(msg: Msg, service: string): InstanceStatus | undefined {
  try {
    const said = msg.json<InstanceStatus>()
    const isWhole = isObject(said) && said.v === 1 && said.service === service && Array.isArray(said.handlers)
    if (!isWhole || !said.handlers.every((one) => typeof one?.handler === 'string')) return undefined
    const { published = [] } = said
    const isCounted = Array.isArray(published) && published.every((one) => typeof one?.type === 'string')
    return isCounted ? said : undefined
  } catch {
    return undefined
  }
}
