/** A rule that does not hold for some objects, and why. One that nothing needs any more is a fault itself. */
export type Exception = {
  readonly rule: string
  /** Matches titles: `Deployment malha/console`. */
  readonly objects: RegExp
  /** The one overlay it is for. @default all */
  readonly only?: string
  readonly reason: string
}

export const exceptions: readonly Exception[] = [
  {
    rule: 'cpu-limit',
    objects: /./,
    reason:
      'a limit stops a process that has the core for itself, and what is slow then is the answer to NATS; requests share fairly',
  },
  {
    rule: 'always-pull',
    objects: /./,
    reason: 'tags and digests are pinned and never moved, and a registry that is away must stop no pod',
  },
  { rule: 'priority-class', objects: /./, reason: 'classes belong to a whole cluster; who runs it patches one in' },
  { rule: 'high-ids', objects: /^ClickHouseInstallation /, reason: 'its image owns its files as 101' },
  {
    rule: 'read-only-root',
    objects: /^ClickHouseInstallation /,
    reason: 'the operator and its entry point write below /etc and /var',
  },
  {
    rule: 'two-copies',
    objects: /^Deployment malha\/console$/,
    reason: 'people are signed in at one process, and another would not know them; the mesh runs without it',
  },
  {
    rule: 'two-copies',
    objects: /^Deployment observability\/otel-collector$/,
    reason: 'the spans of a trace have to meet in one to be judged; spans are dropped, never messages',
  },
  {
    rule: 'two-copies',
    objects: /^Deployment observability\/jaeger$/,
    reason: 'spans wait at the collector while it rolls',
  },
  {
    rule: 'two-copies',
    objects: /^(Deployment|StatefulSet) malha\/(archive|notifier|distribution-center|provider|city-registration)$/,
    only: 'dev',
    reason: 'in dev all is on one node',
  },
  { rule: 'two-copies', objects: /^Deployment partners\//, reason: 'a partner simulator has its state in memory' },
  {
    rule: 'rolls-without-a-gap',
    objects: /^Deployment observability\/jaeger$/,
    only: 'dev',
    reason: 'one process has the folder of badger open; spans wait at the collector meanwhile',
  },
  {
    rule: 'rolls-without-a-gap',
    objects: /^Deployment partners\//,
    reason: 'a partner simulator has its state in memory',
  },
  {
    rule: 'different-probes',
    objects: /^Deployment (observability|partners)\//,
    reason: 'others than ours have one health check; none of it is about NATS',
  },
]
