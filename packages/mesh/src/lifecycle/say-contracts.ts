/**
 * What a service handles, answers and publishes, told to those who look from outside: a record in the bucket
 * MESH_CONTRACTS, written when it changed. The service itself never reads it, and runs without it.
 */
import { PermissionViolationError } from '@nats-io/transport-node'
import { serviceContracts } from '../compatibility/service-contracts.ts'
import { PublishRefused } from '../publish/pub-ack.ts'
import type { ServiceDef } from '../service/define.ts'
import { apiCodes, apiSentence } from '../topology/api-errors.ts'
import { askAgain } from '../topology/ask-again.ts'
import type { Names } from '../topology/names.ts'
import { provisionContracts } from '../topology/provision.ts'
import { CONTRACTS_BUCKET } from '../topology/system.ts'
import type { ServiceDeps } from './start-service.ts'

const ASK_MS = 5000
const WRITE_MS = 10_000

/**
 * One question to the server at each start, and one write after a change. Never throws: what is in the way is logged.
 * Needs `$JS.API.STREAM.MSG.GET.KV_MESH_CONTRACTS` and `$KV.MESH_CONTRACTS.<service>`.
 */
export async function sayContracts(deps: ServiceDeps, service: ServiceDef): Promise<void> {
  const { nc, log } = deps
  // A user with few rights is told once what is missing; nothing else depends on it.
  try {
    const record = JSON.stringify(serviceContracts(service))
    const said = await askAgain(() => read(deps, service.name))
    if (said === record) return
    if (said === undefined && !(await haveBucket(deps))) return
    await write(deps, service.name, record)
    log.debug({ service: service.name }, 'the contracts of the service are written down')
  } catch (error) {
    if (nc.isClosed() || nc.isDraining()) return
    const why = error instanceof PublishRefused ? error.message : apiSentence(error)
    log.info(
      { service: service.name, why },
      'the contracts of the service could not be written down for others; all else works',
    )
  }
}

/** The bucket, for services that may not make it. Never throws. */
export async function haveBucket({ nc, names, options, log }: ServiceDeps): Promise<boolean> {
  const bucket = names.bucket(CONTRACTS_BUCKET)
  if (options.topology !== 'ensure') {
    log.info(
      { bucket },
      'there is no bucket for the contracts of services, and topology is not ensure; create it first',
    )
    return false
  }
  try {
    await provisionContracts(nc, names, { replicas: options.replicas, log })
    return true
  } catch (error) {
    if (!nc.isClosed() && !nc.isDraining())
      log.info({ bucket, why: apiSentence(error) }, 'the bucket for the contracts of services could not be made')
    return false
  }
}

/** Whether the server refused only this. */
export function isAboutContracts(names: Names, error: Error): boolean {
  return error instanceof PermissionViolationError && error.subject.includes(names.bucket(CONTRACTS_BUCKET))
}

type Answer = { message?: { data?: string }; error?: { err_code?: number; description?: string } }

/** Undefined: there is no bucket. */
async function read({ nc, names }: ServiceDeps, service: string): Promise<string | undefined> {
  const bucket = names.bucket(CONTRACTS_BUCKET)
  const query = JSON.stringify({ last_by_subj: `$KV.${bucket}.${service}` })
  const answer = await nc.request(`$JS.API.STREAM.MSG.GET.KV_${bucket}`, query, { timeout: ASK_MS })
  const { message, error } = answer.json<Answer>()
  if (error?.err_code === apiCodes.streamMissing) return undefined
  return Buffer.from(message?.data ?? '', 'base64').toString()
}

async function write({ names, publisher }: ServiceDeps, service: string, record: string): Promise<void> {
  await publisher.pipeline.publish({
    subject: `$KV.${names.bucket(CONTRACTS_BUCKET)}.${service}`,
    payload: Buffer.from(record),
    headers: [],
    timeoutMs: WRITE_MS,
  })
}
