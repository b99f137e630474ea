import { contractFiles } from './contracts/generator.ts'
import type { Generator } from './generate.ts'
import { kubernetesManifests } from './kubernetes/manifests.ts'
import { monitoringFiles } from './monitoring/generator.ts'
import { natsAccounts } from './nats/accounts.ts'

/** All that is made of a deployment; the order says nothing. */
export const generators: readonly Generator[] = [contractFiles, kubernetesManifests, monitoringFiles, natsAccounts]
