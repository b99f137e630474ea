import { failingClickhouse, killClickhouse, refuseClickhouse, slowClickhouse, stopClickhouse } from './clickhouse.ts'
import { clockJump } from './clock-jump.ts'
import { deleteConsumer, recreateConsumer } from './delete-consumer.ts'
import { deleteStream } from './delete-stream.ts'
import { edit } from './edit.ts'
import { fullDisk, fullSpool } from './full-disk.ts'
import { killAllBrokers, killBroker } from './kill-broker.ts'
import { killProcess } from './kill-process.ts'
import { cutLink, delayLink, isolateBroker, oneWayLink, stallLink } from './links.ts'
import type { Nemesis } from './nemesis.ts'
import { partnerFault } from './partner-fault.ts'
import { pauseHandler } from './pause-handler.ts'
import { pauseProcess } from './pause-process.ts'
import { redrive } from './redrive.ts'
import { replay } from './replay.ts'
import { rollingUpgrade } from './rolling-upgrade.ts'
import { stepDownConsumer, stepDownMeta, stepDownStream } from './step-down.ts'
import { retireBroker, stopBroker } from './stop-broker.ts'

/** Every nemesis there is. A seed means the same run only as long as these stay in order. */
export const nemeses: readonly Nemesis[] = [
  killProcess,
  pauseProcess,
  killBroker,
  killAllBrokers,
  stopBroker,
  retireBroker,
  stepDownStream,
  stepDownConsumer,
  stepDownMeta,
  cutLink,
  stallLink,
  oneWayLink,
  delayLink,
  isolateBroker,
  fullDisk,
  fullSpool,
  killClickhouse,
  stopClickhouse,
  slowClickhouse,
  refuseClickhouse,
  partnerFault,
  clockJump,
  deleteConsumer,
  recreateConsumer,
  deleteStream,
  rollingUpgrade,
  failingClickhouse,
  redrive,
  pauseHandler,
  replay,
  edit,
]
