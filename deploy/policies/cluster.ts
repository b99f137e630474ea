import type { Deployment } from '@malha/deployment'

type Labels = Readonly<Record<string, string>>
type Reference = { readonly name: string }
type Volume = {
  name: string
  secret?: { secretName: string; defaultMode?: number; items?: unknown[] }
  configMap?: Reference
  emptyDir?: { sizeLimit?: string }
  hostPath?: unknown
  persistentVolumeClaim?: unknown
  projected?: unknown
}
type Variable = {
  name: string
  value?: string
  valueFrom?: { secretKeyRef?: Reference & { key: string }; configMapKeyRef?: Reference }
}
type Probe = { httpGet?: { path: string; port: string | number }; tcpSocket?: { port: string | number } }
type Amounts = Readonly<Record<string, string | undefined>>

export type Container = {
  name: string
  image?: string
  imagePullPolicy?: string
  env?: Variable[]
  envFrom?: { secretRef?: Reference; configMapRef?: Reference }[]
  ports?: { name?: string; containerPort: number }[]
  lifecycle?: { preStop?: { sleep?: { seconds: number } } }
  resources?: { requests?: Amounts; limits?: Amounts }
  securityContext?: Security & {
    privileged?: boolean
    allowPrivilegeEscalation?: boolean
    readOnlyRootFilesystem?: boolean
    capabilities?: { drop?: string[]; add?: string[] }
  }
  volumeMounts?: { name: string; mountPath: string }[]
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
}
type Security = { runAsNonRoot?: boolean; runAsUser?: number; runAsGroup?: number }

/** Of a pod, what the rules look at. */
export type PodSpec = {
  containers: Container[]
  initContainers?: Container[]
  volumes?: Volume[]
  securityContext?: Security & { fsGroup?: number; seccompProfile?: { type: string } }
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  terminationGracePeriodSeconds?: number
  priorityClassName?: string
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  affinity?: { podAntiAffinity?: unknown }
  topologySpreadConstraints?: { labelSelector?: { matchLabels?: Labels } }[]
}

/** An object as it was rendered. */
export type Rendered = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Labels }
  // oxlint-disable-next-line typescript/no-explicit-any -- its shape is the schema's matter; a rule reads the field it is about
  spec?: any
  data?: Readonly<Record<string, string>>
  stringData?: Readonly<Record<string, string>>
}

/** What starts pods, with the pod it starts. */
export type Starter = {
  /** For people: `Deployment malha/provider`. */
  readonly title: string
  readonly object: Rendered
  readonly labels: Labels
  readonly pod: PodSpec
  /** Whether it runs until it is stopped. */
  readonly isServer: boolean
}

/** A Secret that no manifest makes. */
export type OwnSecret = { readonly namespace: string; readonly name: string; readonly keys: readonly string[] }

/** All that is rendered for one place, and what is known beside it. */
export type Cluster = {
  /** Which overlay: exceptions may be for one alone. */
  readonly overlay: string
  readonly objects: readonly Rendered[]
  readonly starters: readonly Starter[]
  readonly secrets: readonly OwnSecret[]
  readonly deployment: Deployment
}

export function clusterOf(
  objects: readonly Rendered[],
  known: Pick<Cluster, 'overlay' | 'secrets' | 'deployment'>,
): Cluster {
  return { objects, starters: objects.flatMap(startersOf), ...known }
}

/** For people: `Deployment malha/provider`. */
export const titleOf = ({ kind, metadata: { name, namespace } }: Rendered): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

export const ofKind = ({ objects }: Pick<Cluster, 'objects'>, ...kinds: readonly string[]): Rendered[] =>
  objects.filter(({ kind }) => kinds.includes(kind))

/** All containers of a pod, those of its start included. */
export const containersOf = ({ pod }: Starter): Container[] => [...(pod.initContainers ?? []), ...pod.containers]

/** Whether labels are those a selector asks for; an empty one takes all. */
export const matches = (labels: Labels, selector: Labels | undefined): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value)

type Template = { metadata?: { labels?: Labels }; spec: PodSpec }

function startersOf(object: Rendered): Starter[] {
  const title = titleOf(object)
  if (object.kind === 'ClickHouseInstallation') {
    const templates = (object.spec?.templates?.podTemplates ?? []) as (Template & { name: string })[]
    return templates.map(({ metadata, spec: pod }) => ({
      title,
      object,
      pod,
      labels: metadata?.labels ?? {},
      isServer: false,
    }))
  }
  if (!['Deployment', 'StatefulSet', 'Job'].includes(object.kind)) return []
  const { metadata, spec: pod } = object.spec.template as Template
  return [{ title, object, pod, labels: metadata?.labels ?? {}, isServer: object.kind !== 'Job' }]
}
