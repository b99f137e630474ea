import { type Cluster, containersOf, matches, ofKind, type Rendered, type Starter, titleOf } from './cluster.ts'
import type { Finding, Rule } from './rule.ts'

/** What is asked of what runs until it is stopped. */
export const serverRules: readonly Rule[] = [
  server('probes', 'kube-linter no-liveness-probe, no-readiness-probe, liveness-port', (starter) =>
    starter.pod.containers.flatMap((one) =>
      (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((which) => {
        const probe = one[which]
        if (!probe) return [`container ${one.name}: give it a ${which}`]
        const port = probe.httpGet?.port ?? probe.tcpSocket?.port
        const known = (one.ports ?? []).flatMap(({ name, containerPort }) => [name, containerPort])
        return known.includes(port)
          ? []
          : [`container ${one.name}: ${which} asks at port ${port}, which is none of its ports`]
      }),
    ),
  ),
  server('different-probes', 'kube-score pod-probes-identical', ({ pod }) =>
    pod.containers
      .filter(({ livenessProbe: live, readinessProbe: ready }) => live && ready && asked(live) === asked(ready))
      .map(({ name }) => `container ${name}: ask for readiness elsewhere than for life: who is not ready is not dead`),
  ),
  server('lives-by-itself', 'mesh: a broker that is away must restart nobody', ({ pod }) =>
    pod.containers
      .filter(({ livenessProbe, startupProbe }) =>
        [livenessProbe, startupProbe].some((probe) => probe?.httpGet?.path.startsWith('/readyz')),
      )
      .map(({ name }) => `container ${name}: ask /livez for life; /readyz says no while NATS is away`),
  ),
  server('spread', 'kube-linter no-anti-affinity; kube-score topology spread', ({ pod, object, labels }) => {
    if (copiesOf(object) === 1) return []
    const spread = pod.topologySpreadConstraints ?? []
    const wrong = spread.filter(
      ({ labelSelector }) => !labelSelector?.matchLabels || !matches(labels, labelSelector.matchLabels),
    )
    return [
      ...(pod.affinity?.podAntiAffinity ? [] : ['set affinity.podAntiAffinity: its copies belong on different nodes']),
      ...(spread.length > 0 ? [] : ['set topologySpreadConstraints over zones and nodes']),
      ...(wrong.length === 0 ? [] : ['topologySpreadConstraints: labelSelector.matchLabels is not of its pods']),
    ]
  }),
  server(
    'two-copies',
    'kube-linter minimum-three-replicas; polaris deploymentMissingReplicas',
    ({ object }, cluster) => {
      const scaled = scalerOf(cluster, object)
      if (scaled)
        return object.spec.replicas === undefined ? [] : [`remove replicas: ${titleOf(scaled)} counts its copies`]
      return copiesOf(object) >= 2 ? [] : ['set replicas to 2 at least, or nothing serves while its node is emptied']
    },
  ),
  server(
    'disruption-budget',
    'kube-score deployment-has-poddisruptionbudget; kube-linter pdb-max-unavailable, pdb-unhealthy-pod-eviction-policy',
    ({ object, labels }, cluster) => {
      if (copiesOf(object) < 2) return []
      const budget = ofKind(cluster, 'PodDisruptionBudget').find(
        ({ metadata, spec }) =>
          metadata.namespace === object.metadata.namespace && matches(labels, spec.selector.matchLabels),
      )
      if (!budget) return ['give it a PodDisruptionBudget']
      const { maxUnavailable, unhealthyPodEvictionPolicy } = budget.spec
      return [
        ...(Number(maxUnavailable ?? 0) >= 1
          ? []
          : [`${titleOf(budget)}: set maxUnavailable: 1, or no node can be emptied`]),
        ...(unhealthyPodEvictionPolicy === 'AlwaysAllow'
          ? []
          : [`${titleOf(budget)}: set unhealthyPodEvictionPolicy: AlwaysAllow`]),
      ]
    },
  ),
  server('rolls-without-a-gap', 'kube-score deployment-strategy', ({ object: { kind, spec } }) => {
    if (kind !== 'Deployment')
      return spec.updateStrategy?.type === 'RollingUpdate' ? [] : ['set updateStrategy.type: RollingUpdate']
    const { maxUnavailable, maxSurge } = spec.strategy?.rollingUpdate ?? {}
    return maxUnavailable === 0 && maxSurge === 1
      ? []
      : ['set strategy.rollingUpdate to maxUnavailable: 0 and maxSurge: 1']
  }),
  server('time-to-drain', 'mesh: handlers end, requests are answered', (starter) => {
    if (starter.labels['app.kubernetes.io/part-of'] !== 'malha') return []
    const { terminationGracePeriodSeconds: grace = 30 } = starter.pod
    const serves = containersOf(starter).filter(({ ports = [] }) => ports.some(({ name }) => name === 'http'))
    return [
      ...(grace >= 60 ? [] : [`terminationGracePeriodSeconds is ${grace}; 60 at least`]),
      ...serves
        .filter(({ lifecycle }) => !lifecycle?.preStop?.sleep)
        .map(
          ({ name }) => `container ${name}: set lifecycle.preStop.sleep.seconds: 5; requests still come while it stops`,
        ),
    ]
  }),
  server('kept-spool', 'mesh: what waits in a spool is nowhere else', (starter) =>
    containersOf(starter).flatMap(({ env = [], volumeMounts = [] }) => {
      const file = env.find(({ name }) => name === 'MALHA_SPOOL_FILE')?.value
      if (file === undefined) return []
      const mount = volumeMounts.find(({ mountPath }) => file.startsWith(`${mountPath}/`))
      const claims = (starter.object.spec.volumeClaimTemplates ?? []) as Rendered[]
      if (claims.some(({ metadata }) => metadata.name === mount?.name)) return []
      return [
        `MALHA_SPOOL_FILE is ${file}, which is on no volume of its own: give the StatefulSet a volumeClaimTemplate there, or remove the variable (components/no-spool)`,
      ]
    }),
  ),
]

/** Copies that are asked for; one where nobody says. */
export const copiesOf = ({ spec }: Rendered): number => Number(spec.replicas ?? 1)

/** The ScaledObject that counts the copies of a workload. */
export const scalerOf = (cluster: Cluster, { kind, metadata }: Rendered): Rendered | undefined =>
  ofKind(cluster, 'ScaledObject').find(
    ({ metadata: { namespace }, spec: { scaleTargetRef: to } }) =>
      namespace === metadata.namespace && to.name === metadata.name && (to.kind ?? 'Deployment') === kind,
  )

const asked = (probe: object): string =>
  JSON.stringify({ ...probe, periodSeconds: 0, failureThreshold: 0, timeoutSeconds: 0 })

function server(name: string, askedBy: string, faults: (starter: Starter, cluster: Cluster) => string[]): Rule {
  const find = (cluster: Cluster): Finding[] =>
    cluster.starters
      .filter(({ isServer }) => isServer)
      .flatMap((starter) => faults(starter, cluster).map((fix) => ({ object: starter.title, fix })))
  return { name, askedBy, find }
}
