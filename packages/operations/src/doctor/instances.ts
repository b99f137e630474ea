import { askStatus, type HandlerStatus, type InstanceStatus, type Mesh } from '@malha/mesh'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('instances')

/** How the processes of all services say that they are. Needs to publish on `_malha.status.<service>`. */
export async function checkInstances({ nats, names }: Mesh, { durables }: Facts): Promise<Finding[]> {
  const pulled = new Map<string, boolean>()
  for (const { first, now } of durables) {
    const service = now.config.metadata?.['malha.service']
    if (service === undefined) continue
    pulled.set(service, pulled.get(service) === true || first.num_waiting + now.num_waiting > 0)
  }
  const instances = await askStatus({ nats, names }, [...pulled.keys()])
  const silent = [...pulled].flatMap(([service, isPulled]) => (isPulled ? [service] : []))
  return instanceFindings(instances, silent)
}

/** Pure. `pulling`: services of which some instance pulls. */
export function instanceFindings(instances: readonly InstanceStatus[], pulling: readonly string[]): Finding[] {
  const services = [...new Set(instances.map(({ service }) => service))]
  const found = [
    ...services.flatMap((service) => versions(instances.filter((one) => one.service === service))),
    ...instances.flatMap((one) => [...ofProcess(one), ...one.handlers.flatMap((handler) => ofHandler(one, handler))]),
    ...pulling.filter((service) => !services.includes(service)).map(unanswered),
  ]
  const count = `${instances.length} of ${services.length} services answered, each of one version`
  return found.length > 0 ? found : [ok('instances', count)]
}

function unanswered(service: string): Finding {
  const fix = `let its user subscribe to _malha.status.${service}, or start it with this release`
  return warn(service, 'instances of it pull, and none says how it is', fix)
}

/** A rolling update takes minutes; one that was left halfway is found here. */
function versions(instances: readonly InstanceStatus[]): Finding[] {
  const by = Map.groupBy(instances, ({ version }) => version)
  if (by.size < 2) return []
  const said = [...by].map(([version, some]) => `${version} (${some.map(({ instance }) => instance).join(', ')})`)
  const about = instances[0]!.service
  const what = `its instances are of ${by.size} versions: ${said.sort().join('; ')}`
  return [warn(about, what, 'finish the update, or take it back: they may handle the same messages differently')]
}

function ofProcess({ service, instance, faults, denied }: InstanceStatus): Finding[] {
  const about = `${service} (${instance})`
  return [
    ...faults.map((fault) =>
      fail(about, `it is not ready: ${fault}`, 'read its log; a restart gives back what it holds'),
    ),
    ...(denied === null
      ? []
      : [
          warn(
            about,
            `it may not use ${denied}, so it hears late, or never, that a handler is paused`,
            `allow its user ${denied}`,
          ),
        ]),
  ]
}

function ofHandler({ service, instance }: InstanceStatus, handler: HandlerStatus): Finding[] {
  const name = `${service}/${handler.handler}`
  const about = `${name} (${instance})`
  const { leaked, concurrency, breaker, paused, fault, delayedUntil, fullPartitions, heldKeys } = handler
  const found: Finding[] = []
  if (leaked > 0)
    found.push(
      fail(
        about,
        `${leaked} of its ${concurrency} slots are lost to calls that never return`,
        'restart this instance; then see what those calls wait for: they should end when ctx.signal aborts',
      ),
    )
  if (breaker.state !== 'closed') {
    const probe = breaker.probeAt === null ? '' : `, and tries one message at ${breaker.probeAt}`
    const what = `its breaker is ${breaker.state} since ${breaker.since ?? '?'}${probe}`
    found.push(warn(about, what, 'see that what it calls is back; what waits goes on by itself then'))
  }
  if (fullPartitions && fullPartitions.length > 0)
    found.push(
      fail(
        about,
        `its partitions ${fullPartitions.join(', ')} read nothing new: as many of their keys wait as may${heldKeys ? `; ${heldKeys} keys are held behind dead letters` : ''}`,
        heldKeys
          ? `malha dlq list --state open --service ${service} --handler ${handler.handler}; redrive those letters, or discard them`
          : 'see why so many keys fail; what waits goes on by itself then',
      ),
    )
  if (delayedUntil !== null) found.push(ok(about, `what it calls asked to be left alone until ${delayedUntil}`))
  if (paused) {
    const until = paused.until === null ? 'until somebody resumes it' : `until ${paused.until}`
    const what = `it is paused by ${paused.who} ${until}: ${paused.reason}`
    found.push(warn(about, what, `malha handlers resume ${name}`))
  }
  if (fault !== null) found.push(fail(about, fault, `say it anew: malha handlers set ${name}, pause or resume`))
  return found
}
