import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { findNatsServer } from '../src/nats/binary.ts'
import { freePorts, lostPort, reserve } from '../src/ports.ts'
import { type Child, spawnChild } from '../src/process/spawn.ts'

const node = (program: string): Child =>
  spawnChild({ command: process.execPath, args: ['--input-type=module', '-e', program], env: process.env })

test.runIf(process.platform === 'linux')(
  'a port that is free is given to one process only, until that ends',
  async () => {
    const [port] = (await freePorts(1)) as [number]
    const module = new URL('../src/ports.ts', import.meta.url).href
    const other = node(`
    const { freePorts, reserve } = await import(${JSON.stringify(module)})
    const [own] = await freePorts(1)
    console.log(own, await reserve(${port}))
    setInterval(() => {}, 1000)`)
    let said: RegExpExecArray | null = null
    while (!(said = /^(\d+) (\w+)$/m.exec(other.tail.join('\n'))))
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(said[2]).toBe('false')
    expect(await reserve(Number(said[1]))).toBe(false)
    other.kill('SIGKILL')
    await other.exited
    expect(await reserve(Number(said[1]))).toBe(true)
  },
)

test('of a process that ends because somebody else listens on its port it is known which port that is', async () => {
  await using holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as { port: number }
  const { path } = await findNatsServer({})
  const ofNode = node(`(await import('node:net')).createServer().listen(${port}, '127.0.0.1')`)
  const ofGo = spawnChild({ command: path, args: ['-a', '127.0.0.1', '-p', String(port)], env: process.env })
  await Promise.all([ofNode.exited, ofGo.exited])
  expect([lostPort(ofNode), lostPort(ofGo)]).toEqual([port, port])
})
