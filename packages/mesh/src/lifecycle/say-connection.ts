import { isOfControl } from '../control/control.ts'
import type { Delays } from '../delay/delays.ts'
import type { GivenUpWatch } from '../given-up/given-up-watch.ts'
import { isAuthRefusal } from './connect-errors.ts'
import { isAboutContracts } from './say-contracts.ts'
import type { ServiceDeps } from './start-service.ts'

type Parts = Pick<ServiceDeps, 'nc' | 'connection' | 'names' | 'log'> & { delays: Delays; givenUp: GivenUpWatch }

/** Logs what happens to a connection; what is refused and is the business of others is no error. */
export function sayConnection({ nc, connection, names, log, delays, givenUp }: Parts, isClosing: () => boolean): void {
  connection.listen({
    down() {
      if (!isClosing()) log.warn({}, 'NATS is away; reconnecting')
    },
    up: () => log.info({ server: nc.getServer() }, 'NATS is back'),
    error(error) {
      // With a new file the next try succeeds; where it does not, the reason is looked for and said once.
      if (isAuthRefusal(error)) log.debug({ err: error }, 'NATS ended the connection, or refused it')
      else if (delays.isOther(error)) log.debug({ err: error }, 'due events are brought to their streams by others')
      else if (givenUp.isOther(error)) log.debug({ err: error }, 'what the server gives up is looked after by others')
      else if (isOfControl(names, error)) log.debug({ err: error }, 'NATS refused what pausing handlers needs')
      else if (isAboutContracts(names, error))
        log.debug({ err: error }, 'what services say of themselves is out of reach')
      else log.error({ err: error }, 'NATS refused something')
    },
  })
}
