import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ChaosProcess } from '../system.ts'

/** What one file may have: less than any file of a store that is in use. */
const FILE_BYTES = 4096

/**
 * A write past the file size limit of a process fails as one on a full disk does, with another number, and nats-server
 * takes both in the same way: what it cannot store it refuses, until it is started again with room.
 * @throws where there is no `prlimit` (util-linux)
 */
export async function fillDisk(broker: ChaosProcess): Promise<() => Promise<void>> {
  // Only the soft limit: who may lower the hard one may not raise it again.
  const { pid } = broker
  if (pid !== undefined) await promisify(execFile)('prlimit', ['--pid', String(pid), `--fsize=${FILE_BYTES}:`])
  return async () => {
    await broker.kill()
    await broker.start()
  }
}
