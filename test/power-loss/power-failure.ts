/** One loss of power: the folders as it leaves them, servers on them, and what they still know. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DiskOp } from './disk-op.ts'
import { diskOf, writeDisk } from './disk.ts'
import { type Aftermath, lookAround } from './aftermath.ts'
import type { CutPoint } from './cuts.ts'
import type { FileSystem } from './durable.ts'
import { seededRandom } from '../chaos/seeded-random.ts'
import { type Recording, startBroker, storeOf } from './recording.ts'
import { type Luck, survivors } from './survivors.ts'

/**
 * Which of the servers lose power, all at the same moment.
 * - `all` of them
 * - `one`: it comes back to the others, which had gone on
 * - `one, another away`: when it comes back only one of the others is there; the last one comes later
 */
export type Failure = 'all' | 'one' | 'one, another away'

export type Configuration = {
  name: string
  replicas: 1 | 3
  syncAlways: boolean
  failure: Failure
  fileSystem: FileSystem
  /** The model is not told of fsync and O_SYNC. @default false */
  isWithoutSyncs?: boolean
}

export type Outcome = {
  cut: number
  luck: Luck
  /** Events whose acknowledgement was on its way by then. */
  acknowledged: number
  lost: string[]
  doubled: string[]
  passedOver: string[]
  isFloorBeyondEnd: boolean
  hasDurable: boolean
  /** Why nothing could be published any more. */
  stuck?: string
  /** Why no server came back that could be asked; then all that was acknowledged counts as lost. */
  broken?: string
}

const REPEATED = 10

/** A busy machine takes a port away, or lets servers wait for too long: a broker is broken when it does not come back three times. */
const TRIES = 3

export async function failAt(recording: Recording, point: CutPoint, configuration: Configuration): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await failOnceAt(recording, point, configuration)
    if (outcome.broken === undefined || tries === TRIES) return outcome
  }
}

async function failOnceAt(recording: Recording, point: CutPoint, configuration: Configuration): Promise<Outcome> {
  const acknowledged = [...recording.acknowledged].filter(([, at]) => at <= point.at).map(([id]) => id)
  const folder = await mkdtemp(join(tmpdir(), 'malha-power-'))
  try {
    const late = await writeStores(recording, point, { configuration, folder })
    const last = acknowledged.filter((id) => id.startsWith('mesh-')).slice(-REPEATED)
    const found = await comeBack(folder, { configuration, late, last })
    return judge(found, { cut: point.number, luck: point.luck, acknowledged })
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

type Target = { configuration: Configuration; folder: string }

/** Which servers start later. */
async function writeStores(
  recording: Recording,
  point: CutPoint,
  { configuration, folder }: Target,
): Promise<string[]> {
  const random = seededRandom(point.seed)
  const nodes = [...recording.journals.keys()]
  const { failure, fileSystem } = configuration
  const [victim, away] = [random.int(0, nodes.length - 1), random.int(0, Math.max(0, nodes.length - 2))]
  for (const [index, node] of nodes.entries()) {
    const fails = failure === 'all' || index === victim
    const cut = { at: point.at, fileSystem, settledAt: recording.begunAt }
    const ops: DiskOp[] = recording.journals.get(node)!.ops
    const left = survivors(ops, cut, { luck: fails ? point.luck : 'all', random })
    await writeDisk(diskOf(ops, left), storeOf(folder, node))
  }
  if (failure === 'one') return [nodes[victim]!]
  return failure === 'all' ? [] : [nodes.filter((_, index) => index !== victim)[away]!]
}

type Return = { configuration: Configuration; late: string[]; last: string[] }

async function comeBack(dataDir: string, { configuration, late, last }: Return): Promise<Aftermath | string> {
  const { replicas, syncAlways } = configuration
  try {
    await using broker = await startBroker({ dataDir, replicas, syncAlways, late })
    for (const node of broker.nodes) if (late.includes(node.name)) await node.start()
    return await lookAround(broker.url, { replicas, last })
  } catch (error) {
    // One that came back and does not give what it says it holds is as good as none; the other cuts go on.
    return error instanceof Error ? error.message : String(error)
  }
}

type Before = { cut: number; luck: Luck; acknowledged: string[] }

function judge(found: Aftermath | string, { cut, luck, acknowledged }: Before): Outcome {
  const about = { cut, luck, acknowledged: acknowledged.length }
  const nothing = { doubled: [], passedOver: [], isFloorBeyondEnd: false, hasDurable: false }
  if (typeof found === 'string') return { ...about, ...nothing, lost: acknowledged, broken: found }
  const { stored, doubled, stuck, ...rest } = found
  const lost = acknowledged.filter((id) => !stored.has(id))
  const twice = [...stored].filter(([, count]) => count > 1).map(([id]) => id)
  return {
    ...about,
    ...rest,
    ...(stuck !== undefined && { stuck }),
    lost,
    doubled: [...new Set([...twice, ...doubled])],
  }
}
