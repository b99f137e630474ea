import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { eventually, type TestServer, testServer } from '@malha/testing'
import { reload } from './reload.ts'
import { secretVolume } from './secret-volume.ts'

/** A server whose configuration is replaced while it runs. */
export interface ChangingServer extends TestServer {
  /** Resolves when it has read these lines in place of those it had. */
  change(config: string): Promise<void>
}

const FILE = 'users.conf'

export async function changingServer(config: string): Promise<ChangingServer> {
  await using opened = new AsyncDisposableStack()
  const volume = opened.use(await secretVolume({ [FILE]: config }))
  const heard: string[] = []
  // What is included is looked for beside the configuration, in a folder of the server's own.
  const included = relative(join(tmpdir(), 'its-own'), volume.path(FILE))
  const server = opened.use(
    await testServer({ config: `include ${JSON.stringify(included)}`, onLine: (line) => heard.push(line) }),
  )
  const reloads = (): number => heard.filter((line) => line.includes('Reloaded server configuration')).length
  const all = opened.move()
  return Object.assign(server, {
    async change(next: string) {
      const before = reloads()
      await volume.write({ [FILE]: next })
      await reload(server)
      await eventually(() => {
        if (reloads() === before)
          throw new Error(`it did not read its configuration anew:\n${heard.slice(-5).join('\n')}`)
      })
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  })
}
