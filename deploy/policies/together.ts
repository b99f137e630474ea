import { type Cluster, containersOf, matches, ofKind, type Rendered, titleOf } from './cluster.ts'
import type { Finding, Rule } from './rule.ts'

/** What is asked of objects together: each finds what it refers to, and nothing is left open. */
export const togetherRules: readonly Rule[] = [
  { name: 'restricted-namespaces', askedBy: 'Pod Security admission', find: openNamespaces },
  { name: 'walled-pods', askedBy: 'kube-score pod-networkpolicy', find: openPods },
  {
    name: 'own-service-account',
    askedBy: 'kube-linter default-service-account, non-existent-service-account',
    find: missingAccounts,
  },
  {
    name: 'selectors-match',
    askedBy: 'kube-linter mismatching-selector; kube-score statefulset-pod-selector',
    find: wrongSelectors,
  },
  {
    name: 'services-lead-somewhere',
    askedBy: 'kube-linter dangling-service; kube-score service-targets-pod, statefulset-has-servicename',
    find: dangling,
  },
  { name: 'routes-lead-somewhere', askedBy: 'kube-linter dangling-ingress', find: deadRoutes },
  {
    name: 'policies-and-budgets-hit',
    askedBy: 'kube-linter dangling-networkpolicy, dangling-poddisruptionbudget',
    find: aimless,
  },
  { name: 'jobs-end', askedBy: 'kube-linter job-ttl-seconds-after-finished', find: endlessJobs },
  {
    name: 'config-maps-exist',
    askedBy: 'mesh: a pod whose ConfigMap is missing never starts',
    find: missingConfigMaps,
  },
]

const named = (cluster: Cluster, kind: string, namespace: string | undefined, name: string): boolean =>
  ofKind(cluster, kind).some(({ metadata }) => metadata.name === name && metadata.namespace === namespace)

function openNamespaces(cluster: Cluster): Finding[] {
  const key = 'pod-security.kubernetes.io/enforce'
  return ofKind(cluster, 'Namespace')
    .filter(({ metadata }) => metadata.labels?.[key] !== 'restricted')
    .map((one) => ({ object: titleOf(one), fix: `set the label ${key}: restricted` }))
}

function openPods(cluster: Cluster): Finding[] {
  const policies = ofKind(cluster, 'NetworkPolicy')
  return cluster.starters.flatMap(({ title, object: { metadata }, labels }) => {
    const here = policies.filter(
      ({ metadata: { namespace }, spec }) =>
        namespace === metadata.namespace && matches(labels, spec.podSelector.matchLabels),
    )
    const walls = here.some(
      ({ spec }) =>
        Object.keys(spec.podSelector).length === 0 && spec.policyTypes.length === 2 && !spec.ingress && !spec.egress,
    )
    const own = here.filter(({ spec }) => Object.keys(spec.podSelector).length > 0)
    return [
      ...(walls ? [] : [`namespace ${metadata.namespace}: add a NetworkPolicy that denies all, both ways`]),
      ...(own.length > 0 ? [] : ['give it a NetworkPolicy that says what it needs']),
    ].map((fix) => ({ object: title, fix }))
  })
}

function missingAccounts(cluster: Cluster): Finding[] {
  return cluster.starters
    .filter(({ object }) => object.kind !== 'ClickHouseInstallation')
    .flatMap(({ title, object, pod: { serviceAccountName: name = 'default' } }) => {
      if (name === 'default') return [{ object: title, fix: 'give it a ServiceAccount of its own' }]
      if (named(cluster, 'ServiceAccount', object.metadata.namespace, name)) return []
      return [{ object: title, fix: `its ServiceAccount ${name} is nowhere; add it, or correct the name` }]
    })
}

function wrongSelectors({ starters }: Cluster): Finding[] {
  return starters
    .filter(
      ({ object: { kind, spec }, labels }) =>
        ['Deployment', 'StatefulSet'].includes(kind) && !matches(labels, spec.selector.matchLabels),
    )
    .map(({ title }) => ({ object: title, fix: 'its selector does not match the labels of its own pods' }))
}

function dangling(cluster: Cluster): Finding[] {
  const services = ofKind(cluster, 'Service').flatMap((service) => {
    const { selector, ports } = service.spec as {
      selector: Record<string, string>
      ports: { port: number; targetPort?: string | number }[]
    }
    const behind = cluster.starters.filter(
      ({ object, labels }) => object.metadata.namespace === service.metadata.namespace && matches(labels, selector),
    )
    if (behind.length === 0) return [{ object: titleOf(service), fix: 'its selector matches no pods' }]
    const open = behind.flatMap((starter) =>
      containersOf(starter).flatMap((one) =>
        (one.ports ?? []).flatMap(({ name, containerPort }) => [name, containerPort]),
      ),
    )
    return ports
      .filter(({ port, targetPort = port }) => !open.includes(targetPort))
      .map(({ port, targetPort = port }) => ({
        object: titleOf(service),
        fix: `its targetPort ${targetPort} is no port of its pods`,
      }))
  })
  const sets = ofKind(cluster, 'StatefulSet')
    .filter(({ metadata, spec }) => !named(cluster, 'Service', metadata.namespace, spec.serviceName))
    .map((one) => ({ object: titleOf(one), fix: `its serviceName ${one.spec.serviceName ?? '(none)'} is no Service` }))
  return [...services, ...sets]
}

function deadRoutes(cluster: Cluster): Finding[] {
  type Backend = { name: string; port?: number }
  return ofKind(cluster, 'HTTPRoute').flatMap((route) =>
    (route.spec.rules as { backendRefs?: Backend[] }[])
      .flatMap(({ backendRefs = [] }) => backendRefs)
      .filter(({ name, port }) => {
        const to = ofKind(cluster, 'Service').find(
          ({ metadata }) => metadata.name === name && metadata.namespace === route.metadata.namespace,
        )
        return !(to?.spec.ports as { port?: number }[] | undefined)?.some((one) => one.port === port)
      })
      .map(({ name, port }) => ({
        object: titleOf(route),
        fix: `there is no Service ${name} with port ${port} for it`,
      })),
  )
}

function aimless(cluster: Cluster): Finding[] {
  const selects = ({ spec }: Rendered): Record<string, string> | undefined =>
    (spec.podSelector ?? spec.selector)?.matchLabels
  return ofKind(cluster, 'NetworkPolicy', 'PodDisruptionBudget', 'PodMonitor')
    .filter(
      (one) =>
        !cluster.starters.some(
          ({ object, labels }) => object.metadata.namespace === one.metadata.namespace && matches(labels, selects(one)),
        ),
    )
    .map((one) => ({ object: titleOf(one), fix: 'it selects no pods; correct its selector, or remove it' }))
}

function endlessJobs(cluster: Cluster): Finding[] {
  return ofKind(cluster, 'Job').flatMap((job) =>
    ['ttlSecondsAfterFinished', 'activeDeadlineSeconds']
      .filter((field) => job.spec[field] === undefined)
      .map((field) => ({ object: titleOf(job), fix: `set ${field}` })),
  )
}

function missingConfigMaps(cluster: Cluster): Finding[] {
  return cluster.starters.flatMap(({ title, object, pod }) => {
    const asked = [
      ...pod.containers.flatMap(({ envFrom = [] }) => envFrom.flatMap(({ configMapRef }) => configMapRef?.name ?? [])),
      ...(pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []),
    ]
    return asked
      .filter((name) => !named(cluster, 'ConfigMap', object.metadata.namespace, name))
      .map((name) => ({
        object: title,
        fix: `ConfigMap ${name} is nowhere; add it to a configMapGenerator, or correct the name`,
      }))
  })
}
