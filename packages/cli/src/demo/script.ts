import { eachBounded } from './each-bounded.ts'
import { registerCenter } from './center-api.ts'
import type { City } from './cities.ts'
import type { RunWatch } from './watch.ts'

export type Scene = {
  api: string
  cities: readonly City[]
  watch: RunWatch
  /** Kills the provider service; returns the pid it had. */
  killProvider: () => number | undefined
  /** Hears what is done to the system, one sentence each. */
  announce: (sentence: string) => void
  signal: AbortSignal
}

const PARALLEL = 16
/** The share of providers after which dmitri comes back: what the killed service had in hand takes its `ackWaitMs`. */
const MOSTLY = 0.75

/**
 * What happens to the system: dmitri is down from the start, and MaaS answers 503 half of the time to the end; a third of
 * the way the provider service is killed; when MaaS and Senninha are mostly through, dmitri comes back. Resolves once every
 * centre is onboarded, with the ids that the API gave in the order of the cities.
 */
export async function playScript(scene: Scene): Promise<string[]> {
  const { watch, announce, cities } = scene
  const total = cities.length
  await watch.setCondition('dmitri', { mode: 'down' }, 'down')
  await watch.setCondition('maas', { mode: 'flaky', rate: 0.5 }, '503 half of the time')
  announce('dmitri is down: it refuses connections')
  announce('maas answers 503 half of the time')

  watch.progress.doing = 'registering centres'
  const registering = registerAll(scene)
  const troubling = (async (): Promise<void> => {
    await watch.until(({ partners }) => partners.senninha.created + partners.maas.created >= (total * 2) / 3)
    announce(
      `killed provider (pid ${scene.killProvider() ?? 'none'}, SIGKILL): what it had in hand comes again within 15 s`,
    )
    await watch.until(({ partners }) => Math.min(partners.senninha.created, partners.maas.created) >= total * MOSTLY)
    await watch.setCondition('dmitri', { mode: 'up' }, 'up again')
    announce('dmitri is back')
  })()
  const [ids] = await Promise.all([registering, troubling])
  watch.progress.doing = 'waiting until every centre is onboarded'
  await watch.until(({ onboarded }) => onboarded >= total)
  return ids
}

async function registerAll({ api, cities, watch, announce, signal }: Scene): Promise<string[]> {
  const ids = new Map<City, string>()
  await eachBounded(cities, PARALLEL, async (city) => {
    ids.set(city, await registerCenter(api, city, signal))
    watch.progress.registered = ids.size
  })
  announce(`registered ${ids.size} centres, ${cities[0]?.name} to ${cities.at(-1)?.name}`)
  watch.progress.doing = 'the mesh does its work'
  return cities.map((city) => ids.get(city)!)
}
