import { consumerFloor } from '../topology/stream-state.ts'
import { GIVEN_UP, givesUp, liftLimit, limitFault } from './given-up.ts'
import { SET_BACK, setBack, setLaneBack } from './set-back.ts'
import type { SupervisorOptions } from './supervisor.ts'

/** Looks after a handler's durable on its lane: that it has all that the lane has, and gives nothing up. */
export class LaneDurable {
  readonly #options: SupervisorOptions
  /** A loss of power of all servers ends the connection. */
  #mustCheck = true
  readonly #unlisten: () => void

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#unlisten = options.connection.listen({ up: () => (this.#mustCheck = true) })
  }

  stop(): void {
    this.#unlisten()
  }

  /** @throws what the server said, or that somebody has to lift its limit */
  async look(): Promise<void> {
    const { nc, lane, log, labels, mayMake } = this.#options
    const floor = await consumerFloor(nc, lane.stream, lane.durable)
    const isGivenUp = givesUp(floor, this.#mustCheck)
    if (isGivenUp && floor.mostDeliveries < Infinity && !mayMake) throw limitFault(floor)
    if (isGivenUp) {
      const { refusal } = await setBack(nc, { ...lane, seq: 1 })
      if (refusal !== undefined) throw new Error(`${lane.durable} cannot be set back (${refusal})`)
      if (floor.mostDeliveries < Infinity) await liftLimit(nc, lane)
      log.error({ ...labels, ...lane }, GIVEN_UP)
    }
    if (!this.#mustCheck) return
    this.#mustCheck = false
    try {
      if (await setLaneBack(nc, lane)) log.error({ ...labels, ...lane }, SET_BACK)
    } catch (error) {
      this.#mustCheck = true
      throw error
    }
  }
}
