import { getStored, type Mesh, type ServiceContracts } from '@malha/mesh'
import { OperationsError } from '../errors.ts'

const BUCKET = 'MESH_CONTRACTS'
const ASK_MS = 5000
const AT_ONCE = 16

type InfoAnswer = { state?: { subjects?: Record<string, number> }; error?: { err_code?: number; description?: string } }

/** JetStream's `err_code` of a stream that is not there. */
const STREAM_MISSING = 10059

/**
 * What the services of the mesh said at their last start, by name. Needs `$JS.API.STREAM.INFO` and
 * `$JS.API.STREAM.MSG.GET` of `KV_MESH_CONTRACTS`.
 * @throws OperationsError OPERATIONS_NO_CONTRACTS
 */
export async function readSaid(mesh: Mesh): Promise<ServiceContracts[]> {
  const said = await saidOrNone(mesh)
  if (said) return said
  throw new OperationsError(
    'OPERATIONS_NO_CONTRACTS',
    `there is no stream KV_${mesh.names.bucket(BUCKET)}: no service of this mesh has said its contracts`,
  )
}

/** The same; undefined where no service ever said them. @throws OperationsError OPERATIONS_NO_CONTRACTS of a newer format */
export async function saidOrNone({ nats, names }: Mesh): Promise<ServiceContracts[] | undefined> {
  const stream = `KV_${names.bucket(BUCKET)}`
  const prefix = `$KV.${names.bucket(BUCKET)}.`
  const query = JSON.stringify({ subjects_filter: `${prefix}>` })
  const answer = await nats.request(`$JS.API.STREAM.INFO.${stream}`, query, { timeout: ASK_MS })
  const { state, error } = answer.json<InfoAnswer>()
  if (error?.err_code === STREAM_MISSING) return undefined
  if (error) throw new Error(`stream ${stream}: ${error.description}`)
  const subjects = Object.keys(state?.subjects ?? {}).sort()
  const read: (ServiceContracts | undefined)[] = []
  for (let from = 0; from < subjects.length; from += AT_ONCE)
    read.push(...(await Promise.all(subjects.slice(from, from + AT_ONCE).map((subject) => readOne(subject)))))
  return read.filter((one) => one !== undefined)

  async function readOne(subject: string): Promise<ServiceContracts | undefined> {
    const stored = await getStored(nats, stream, { last_by_subj: subject })
    // A key that was deleted is a message without bytes.
    if (stored === undefined || stored.payload.length === 0) return undefined
    const record = JSON.parse(stored.payload.toString()) as ServiceContracts
    if (record.v !== 1)
      throw new OperationsError(
        'OPERATIONS_NO_CONTRACTS',
        `${subject.slice(prefix.length)} says its contracts in format ${String(record.v)}, this release knows 1; upgrade it`,
      )
    return record
  }
}
