import type { Mesh } from '@malha/mesh'
import { isSealed, openGeneration, openPointer, readPointer } from './status/generations.ts'
import type { ReadModel } from './status/read-model.ts'

export type ReadModelOptions = {
  /** After how long it is asked again which generation is live, ms. A write into one that was replaced asks at once. @default 1000 */
  lookEveryMs?: number
}

type Live = { readonly generation: string; readonly model: ReadModel; readonly lookedAt: number }

/**
 * Opens the read model that is live, and makes it where it is missing. Whoever replaces it beside the one that is read
 * (mesh/replace-status.ts) is followed within a second; what is written goes into the live one or is written again there.
 */
export async function openReadModel(mesh: Mesh, { lookEveryMs = 1000 }: ReadModelOptions = {}): Promise<ReadModel> {
  const kv = await openPointer(mesh)
  let looking: Promise<Live> | undefined
  let live: Live | undefined
  const look = async (): Promise<Live> => {
    const { pointer } = await readPointer(kv)
    const isSame = live?.generation === pointer.live
    const model = live && isSame ? live.model : await openGeneration(mesh, pointer.live)
    live = { generation: pointer.live, model, lookedAt: performance.now() }
    return live
  }
  const lookNow = (): Promise<Live> => (looking ??= look().finally(() => (looking = undefined)))
  const current = async (): Promise<Live> =>
    live && performance.now() - live.lookedAt < lookEveryMs ? live : await lookNow()
  const inLive = async <T>(work: (model: ReadModel) => Promise<T>): Promise<T> => {
    for (;;) {
      const { generation, model } = await current()
      try {
        return await work(model)
      } catch (error) {
        if (!isSealed(error) || (await lookNow()).generation === generation) throw error
      }
    }
  }
  await current()
  return {
    statuses: {
      get: (centerId) => inLive(({ statuses }) => statuses.get(centerId)),
      apply: (change) => inLive(({ statuses }) => statuses.apply(change)),
      update: (centerId, next) => inLive(({ statuses }) => statuses.update(centerId, next)),
    },
    registry: {
      add: (centerId) => inLive(({ registry }) => registry.add(centerId)),
      placeOf: (centerId) => inLive(({ registry }) => registry.placeOf(centerId)),
      after: (place, count) => inLive(({ registry }) => registry.after(place, count)),
    },
  }
}
