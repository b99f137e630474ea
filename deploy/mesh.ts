import { cityRegistration } from '@malha/city-registration/service'
import { defineDeployment, type Deployment } from '@malha/deployment'
import { distributionCenter } from '@malha/distribution-center/service'
import { partnerClient } from '@malha/partner-client'
import { provider } from '@malha/provider/service'

/** Never called: of a service only what it declares is read here. */
const partner = partnerClient({ partner: 'nobody', url: 'http://partner.invalid' })
const unread = (): never => {
  throw new Error('the service of a deployment is read, and never run')
}
const readModel = {
  statuses: { get: unread, apply: unread, update: unread },
  registry: { add: unread, placeOf: unread, after: unread },
}

/** Of a release; it goes into traces and dead letters, and into nothing that is generated. */
const VERSION = '0.0.0'

/** The reference mesh. */
export const deployment: Deployment = defineDeployment({
  name: 'malha',
  namespace: 'malha',
  workloads: [
    {
      name: 'distribution-center',
      service: distributionCenter(readModel, VERSION),
      uses: { spool: true },
      // Its spool is on a volume.
      kind: 'StatefulSet',
      ports: { health: 9090, http: 8080 },
      buckets: [
        { name: 'CENTER_READ_MODEL', maxBytes: 1024 ** 2 },
        { name: 'CENTER_STATUS' },
        { name: 'CENTER_REGISTRY', maxBytes: 64 * 1024 ** 2 },
      ],
    },
    // #region workload
    {
      name: 'provider',
      service: provider({ senninha: partner, maas: partner }, VERSION),
      kind: 'Deployment',
      ports: { health: 9090 },
      calls: ['partners'],
      scale: { most: 8 },
    },
    // #endregion
    {
      name: 'city-registration',
      service: cityRegistration(partner, VERSION),
      kind: 'Deployment',
      ports: { health: 9090 },
      calls: ['partners'],
      scale: { most: 8 },
    },
    { name: 'archive', tool: 'archive', kind: 'Deployment', ports: { health: 9090 }, calls: ['clickhouse'] },
    {
      name: 'console',
      tool: 'console',
      kind: 'Deployment',
      ports: { health: 9090, http: 8090 },
      calls: ['clickhouse', 'issuer'],
    },
    { name: 'notifier', tool: 'notifier', kind: 'Deployment', ports: { health: 9090 }, calls: ['webhooks'] },
    { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
  ],
})
