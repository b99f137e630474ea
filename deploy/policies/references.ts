import { plannedTopology } from '@malha/mesh'
import { usefulCopies } from '@malha/deployment'
import { type Cluster, containersOf, ofKind, type OwnSecret, type Rendered, type Starter, titleOf } from './cluster.ts'
import type { Finding, Rule } from './rule.ts'

/** What is asked of references to what is outside of the manifests: found here, and not by a pod that never starts. */
export const referenceRules: readonly Rule[] = [
  { name: 'secrets-exist', askedBy: 'mesh: a pod whose Secret is missing never starts', find: missingSecrets },
  {
    name: 'scaled-by-what-exists',
    askedBy: 'kube-linter dangling-horizontalpodautoscaler; KEDA knows nothing of a missing durable',
    find: unknownDurables,
  },
  {
    name: 'useful-copies',
    askedBy: 'mesh: beyond max_ack_pending a copy idles; kube-linter hpa-minimum-replicas',
    find: idleCopies,
  },
]

type Wanted = { name: string; key?: string }

function missingSecrets(cluster: Cluster): Finding[] {
  return cluster.starters.flatMap((starter) => {
    const { namespace = '' } = starter.object.metadata
    const known = secretsIn(cluster, namespace)
    return wantedBy(starter).flatMap(({ name, key }): Finding[] => {
      const found = known.find((one) => one.name === name)
      const where = `Secret ${namespace}/${name}`
      if (!found)
        return [
          {
            object: starter.title,
            fix: `${where} is made by no manifest and is not in deploy/secrets.yaml: list it there with its keys and bring it, or correct the name${near(name, known)}`,
          },
        ]
      if (key === undefined || found.keys.includes(key)) return []
      return [
        {
          object: starter.title,
          fix: `${where} has no key ${key}, but ${found.keys.join(', ')}: correct the key, or add it in deploy/secrets.yaml`,
        },
      ]
    })
  })
}

const near = (name: string, known: readonly OwnSecret[]): string => {
  const like = known.filter((one) => one.name.split('-')[0] === name.split('-')[0]).map((one) => one.name)
  return like.length === 0 ? '' : `; there is ${like.join(', ')}`
}

/** Made by a manifest, by cert-manager, or brought. */
function secretsIn(cluster: Cluster, namespace: string): OwnSecret[] {
  const here = ({ metadata }: Rendered): boolean => metadata.namespace === namespace
  return [
    ...cluster.secrets.filter((one) => one.namespace === namespace),
    ...ofKind(cluster, 'Secret')
      .filter(here)
      .map(({ metadata: { name }, data, stringData }) => ({
        namespace,
        name,
        keys: Object.keys({ ...data, ...stringData }),
      })),
    ...ofKind(cluster, 'Certificate')
      .filter(here)
      .map(({ spec }) => ({ namespace, name: String(spec.secretName), keys: ['tls.crt', 'tls.key', 'ca.crt'] })),
  ]
}

/** What a pod reads: whole, by key, or as a file that a variable names. */
function wantedBy(starter: Starter): Wanted[] {
  const { volumes = [] } = starter.pod
  const containers = containersOf(starter)
  const files = containers.flatMap(({ env = [] }) => env.map(({ value }) => value ?? ''))
  const mounted = volumes.flatMap(({ name, secret }): Wanted[] => {
    if (!secret) return []
    const paths = containers.flatMap(({ volumeMounts = [] }) =>
      volumeMounts.filter((one) => one.name === name).map(({ mountPath }) => `${mountPath}/`),
    )
    const keys = files.flatMap((file) =>
      paths.filter((path) => file.startsWith(path)).map((path) => file.slice(path.length)),
    )
    return keys.length === 0 ? [{ name: secret.secretName }] : keys.map((key) => ({ name: secret.secretName, key }))
  })
  const direct = containers.flatMap(({ env = [], envFrom = [] }) => [
    ...env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
    ...envFrom.flatMap(({ secretRef }) => secretRef ?? []),
  ])
  const users = starter.object.kind === 'ClickHouseInstallation' ? starter.object.spec.configuration?.users : undefined
  const passwords = Object.values<{ valueFrom?: { secretKeyRef?: Wanted } }>(users ?? {})
  return [...mounted, ...direct, ...passwords.flatMap((one) => one?.valueFrom?.secretKeyRef ?? [])]
}

type Trigger = { type: string; metadata: { stream?: string; consumer?: string } }

function unknownDurables(cluster: Cluster): Finding[] {
  const services = cluster.deployment.workloads.flatMap(({ service }) => service ?? [])
  const { consumers } = plannedTopology(services)
  return ofKind(cluster, 'ScaledObject').flatMap((scaler): Finding[] => {
    const { kind = 'Deployment', name } = scaler.spec.scaleTargetRef as { kind?: string; name: string }
    const isThere = ofKind(cluster, kind).some(
      ({ metadata }) => metadata.name === name && metadata.namespace === scaler.metadata.namespace,
    )
    const target = isThere ? [] : [`its target, ${kind} ${name}, is nowhere; correct scaleTargetRef`]
    const triggers = (scaler.spec.triggers as Trigger[]).filter(({ type }) => type === 'nats-jetstream')
    const durables = triggers.flatMap(({ metadata: { stream = '', consumer = '' } }) => {
      const on = consumers.filter((one) => one.stream === stream).map(({ config }) => config.durable_name ?? '')
      if (on.includes(consumer)) return []
      const service = cluster.deployment.workloads.find((one) => one.name === name)?.service?.name ?? name
      const own = on.filter((durable) => durable.startsWith(`${service}_`))
      return [
        `no handler has a durable ${consumer} on stream ${stream}, so KEDA would know nothing of it; ${own.length === 0 ? 'run malha deploy generate' : `there is ${own.join(', ')}`}`,
      ]
    })
    return [...target, ...durables].map((fix) => ({ object: titleOf(scaler), fix }))
  })
}

function idleCopies(cluster: Cluster): Finding[] {
  return ofKind(cluster, 'ScaledObject').flatMap((scaler): Finding[] => {
    const {
      minReplicaCount: least = 0,
      maxReplicaCount: most = 100,
      scaleTargetRef,
    } = scaler.spec as { minReplicaCount?: number; maxReplicaCount?: number; scaleTargetRef: { name: string } }
    const service = cluster.deployment.workloads.find(({ name }) => name === scaleTargetRef.name)?.service
    const { copies, because } = service ? usefulCopies(service) : { copies: Infinity, because: '' }
    return [
      ...(most > copies
        ? [
            `maxReplicaCount is ${most}, and beyond ${copies} a copy idles (${because}): set scale.most in deploy/mesh.ts, or the patch, to ${copies} at most`,
          ]
        : []),
      ...(least < 1 ? ['set minReplicaCount to 1 at least: who never runs makes no durable, and answers nothing'] : []),
      ...(least > most ? [`minReplicaCount is ${least}, more than maxReplicaCount, ${most}`] : []),
    ].map((fix) => ({ object: titleOf(scaler), fix }))
  })
}
