import type { FileSystem } from './durable.ts'
import type { Configuration } from './power-failure.ts'

/** More than one file of the server holds: it begins a new one every 4 MB. */
export const EVENTS = 1500
/** A commit a millisecond or two, for a second. */
export const SPOOLED_EVENTS = 600

type Kind = Omit<Configuration, 'fileSystem'>

const one: Kind = { name: 'one server', replicas: 1, syncAlways: false, failure: 'all' }
const three: Kind = { name: 'three servers, all at once', replicas: 3, syncAlways: false, failure: 'all' }
const oneOfThree: Kind = { ...three, name: 'three servers, one of them', failure: 'one' }
const twoOfThree: Kind = {
  ...three,
  name: 'three servers, one of them while another is away',
  failure: 'one, another away',
}
const always = (kind: Kind): Kind => ({ ...kind, name: `${kind.name}, always`, syncAlways: true })
/** As if the server had told its disk nothing: it has to lose, or nothing that is said of the others means anything. */
const unsynced = (kind: Kind): Kind => ({ ...kind, name: `${kind.name}, syncs left out`, isWithoutSyncs: true })

/** Whether there are moments at which an acknowledged event is lost, as measured; `rarely`: a hundred may miss them. */
export type Expected = { loses: boolean | 'rarely' }

/** What is measured of servers. `always` is `sync_interval: always`. The weaker file system where it could make a difference. */
export const configurations: readonly (Configuration & Expected)[] = [
  { ...one, fileSystem: 'ext4', loses: true },
  { ...always(one), fileSystem: 'ext4', loses: false },
  { ...always(one), fileSystem: 'strict', loses: true },
  { ...unsynced(always(one)), fileSystem: 'ext4', loses: true },
  { ...oneOfThree, fileSystem: 'ext4', loses: false },
  { ...twoOfThree, fileSystem: 'ext4', loses: 'rarely' },
  { ...three, fileSystem: 'ext4', loses: true },
  { ...always(three), fileSystem: 'ext4', loses: false },
]

/** What is measured of a spool. */
export const spools: readonly (Expected & { name: string; fileSystem: FileSystem; isWithoutSyncs?: boolean })[] = [
  { name: 'spool', fileSystem: 'ext4', loses: false },
  { name: 'spool', fileSystem: 'strict', loses: false },
  { name: 'spool, syncs left out', fileSystem: 'ext4', isWithoutSyncs: true, loses: true },
]
