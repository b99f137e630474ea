/** Where what is not the mesh's own runs; deploy/README.md installs it there. Another place is a patch of an overlay. */
export const places = {
  nats: {
    namespace: 'nats',
    port: 4222,
    address: 'nats.nats.svc.cluster.local:4222',
    /** Of the account all workloads are in. */
    account: 'MALHA',
    /** The headless service: of a cluster the leader of a consumer alone says how much waits. */
    monitoring: 'nats-headless.nats.svc.cluster.local:8222',
  },
  telemetry: { namespace: 'observability', port: 4318 },
  clickhouse: { namespace: 'clickhouse', port: 8123 },
  monitoring: { namespace: 'monitoring' },
  /** On the namespace of whatever brings requests from outside: an ingress controller, a gateway. */
  ingressLabel: 'malha-ingress',
} as const
