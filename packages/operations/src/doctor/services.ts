import type { ConsumerInfo } from '@nats-io/jetstream'
import { consumerName } from './consumers.ts'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('services')

/** Durables that no handler is for any more, and services that are not there. Pure. */
export function checkServices({
  durables,
  services,
  streams,
}: Pick<Facts, 'durables' | 'services' | 'streams'>): Finding[] {
  if (services === undefined)
    return [
      warn(
        'contracts',
        'no service said its contracts, so orphans cannot be told',
        'start services with this release; docs/how-to/describe-a-mesh.md says which rights they need for it',
      ),
    ]
  const byName = new Map(services.map((one) => [one.service, one]))
  const found: Finding[] = []
  const seen = new Set<string>()
  const pulled = new Set<string>()
  for (const { first, now } of durables) {
    const { 'malha.service': service, 'malha.handler': handler } = now.config.metadata ?? {}
    if (service === undefined || handler === undefined) continue
    seen.add(service)
    if (first.num_waiting + now.num_waiting + now.num_ack_pending > 0) pulled.add(service)
    const said = byName.get(service)
    if (!said || said.handlers.some((one) => one.handler === handler)) continue
    found.push(orphan(now, { service, handler, isRetired: said.retired.includes(handler) }))
  }
  for (const service of seen)
    if (!pulled.has(service)) {
      const lanes = streams.find(({ config }) => config.name.endsWith(`LANES_${service.toUpperCase()}`))
      const waiting = lanes?.state.messages ?? 0
      found.push(
        warn(
          service,
          `no instance of it pulls${waiting > 0 ? `; ${waiting} messages wait on its lanes` : ''}`,
          byName.has(service)
            ? `start it; or, if it is gone for good, remove its durables and ${lanes?.config.name ?? 'its lanes'}, and nats kv del its key in MESH_CONTRACTS`
            : `start it; or, if it is gone for good, remove its durables and ${lanes?.config.name ?? 'its lanes'}`,
        ),
      )
    }
  for (const { service, untold } of services)
    for (const { type } of untold)
      found.push(
        warn(
          service,
          `the schema of ${type} is not known: its library gives no JSON Schema`,
          'wrap it with the library’s adapter; docs/how-to/change-a-contract.md',
        ),
      )
  return found.length > 0
    ? found
    : [ok('services', `${services.length} said their contracts; no durable without a handler`)]
}

function orphan(
  info: ConsumerInfo,
  { service, handler, isRetired }: { service: string; handler: string; isRetired: boolean },
): Finding {
  const waiting = info.num_pending + info.num_ack_pending
  const remove = `nats consumer rm ${info.stream_name} ${info.name}`
  if (isRetired) return warn(consumerName(info), `handler ${handler} of ${service} is retired`, remove)
  const what = `${service} has no handler ${handler}; ${waiting} messages wait there`
  const fix = `name the handler ${handler} again; or list it in retired, and then ${remove}`
  return waiting > 0 ? fail(consumerName(info), what, fix) : warn(consumerName(info), what, fix)
}
