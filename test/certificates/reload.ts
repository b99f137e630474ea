import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findNatsServer } from '@malha/stack'

const run = promisify(execFile)

/** As an operator does it: `nats-server --signal reload=<pid>`. The server says in its log when it has. */
export async function reload({ pid }: { pid: number | undefined }): Promise<void> {
  const { path } = await findNatsServer()
  await run(path, ['--signal', `reload=${pid}`])
}
