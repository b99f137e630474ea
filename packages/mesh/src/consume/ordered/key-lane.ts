import { type Lane, subjectsOnLane } from '../../failure/lane.ts'
import { partitionOf } from '../../message/key.ts'
import type { Logger } from '../../observe/logger.ts'
import { NO_KEY } from '../../topology/names.ts'
import type { HandlerLabels } from '../runner-options.ts'
import type { Partition } from './partition.ts'
import { RepeatedLook } from './repeated-look.ts'
import { inOrder, type SentMessage } from './sent-message.ts'

export type KeyLaneOptions = {
  lane: Lane
  /** Of the event stream, those with keys. */
  partitions: number
  /** What this instance has, by number. */
  owned: () => ReadonlyMap<number, Partition>
  log: Logger
  labels: HandlerLabels
}

/** Whoever sends says so; a word that was lost costs this. */
const LOOK_MS = 5000

/** Finds what runs sent to an ordered handler, and brings it to the partitions that this instance has. */
export class KeyLane {
  readonly #options: KeyLaneOptions
  readonly #start: string
  /** Those of which all was found that whoever had them before may have begun. */
  readonly #seen = new WeakSet<Partition>()
  readonly #looks: RepeatedLook

  constructor(options: KeyLaneOptions) {
    const { nc, names, service, handler } = options.lane
    this.#options = options
    this.#start = names.laneOfKeys(service, handler)
    this.#looks = new RepeatedLook({ nc, everyMs: LOOK_MS, look: () => this.#look() })
  }

  start(): void {
    this.#looks.start()
  }

  stop(): void {
    this.#looks.stop()
  }

  /** There may be something. Never throws. */
  look(): Promise<void> {
    return this.#looks.now()
  }

  async #look(): Promise<void> {
    const { lane, log, labels, owned } = this.#options
    const takers = new Map([...owned()].filter(([, { isRestored }]) => isRestored))
    if (takers.size === 0) return
    try {
      const subjects = await subjectsOnLane(lane, `${this.#start}>`)
      const found = subjects.flatMap((subject) => sentIn(subject, this.#start) ?? [])
      // The server tells them by name, and the first of a key that is brought has its turn.
      for (const one of found.toSorted((a, b) => inOrder(a.message, b.message))) this.#bring(one, takers)
      for (const partition of takers.values()) this.#seen.add(partition)
    } catch (error) {
      log.debug({ ...labels, err: error }, 'what runs sent was not found; again')
    }
  }

  #bring({ token, message }: Found, takers: ReadonlyMap<number, Partition>): void {
    const { partitions } = this.#options
    const partition = takers.get(token === '' ? partitions : partitionOf(token, partitions))
    partition?.accept(token, { ...message, isOld: !this.#seen.has(partition) })
  }
}

type Found = { token: string; message: Omit<SentMessage, 'isOld'> }

/** `<token>.<STREAM>.<epoch>.<seq>@<stored, unix ns>.<run>` behind what all begin with; undefined for what no run wrote. */
function sentIn(subject: string, start: string): Found | undefined {
  const [token = '', stream = '', epoch = '', where = '', run = '', ...more] = subject.slice(start.length).split('.')
  const [, seq = '', storedAt = ''] = /^(\d{1,15})@(\d{1,20})$/.exec(where) ?? []
  if (seq === '' || run === '' || more.length > 0 || !/^\d{1,15}$/.test(epoch)) return undefined
  const message = { subject, run, place: { stream, epoch: Number(epoch), seq: Number(seq), storedAt } }
  return {
    token: token === NO_KEY ? '' : token,
    message: { ...message, crashes: 0, retry: undefined, burial: undefined },
  }
}
