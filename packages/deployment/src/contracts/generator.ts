import { names, serviceContracts } from '@malha/mesh'
import { asyncApi } from '@malha/operations'
import { stringify } from 'yaml'
import type { Generator } from '../generate.ts'
import { places } from '../kubernetes/places.ts'

/**
 * `asyncapi/<deployment>.yaml`: what all services handle, answer and publish, with schemas, so that a change of a contract is
 * seen as one where it is reviewed.
 */
export const contractFiles: Generator = ({ name, workloads }) => {
  const services = workloads.flatMap(({ service }) => (service ? [serviceContracts(service)] : []))
  if (services.length === 0) return {}
  const document = asyncApi(services, {
    names: names(''),
    server: places.nats.address,
    about: { title: name, description: descriptionOf(services) },
  })
  return { [`asyncapi/${name}.yaml`]: stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 }) }
}

function descriptionOf(services: readonly ReturnType<typeof serviceContracts>[]): string {
  const all = `Contracts of ${services.map(({ service }) => service).join(', ')}: what is handled, answered and published.`
  // A schema that cannot be shown is a change that nobody sees: it is said.
  const untold = services.flatMap((one) => one.untold.map(({ type, why }) => `${one.service}: ${type} (${why})`))
  return untold.length === 0 ? all : `${all} Left out: ${untold.join('; ')}.`
}
