import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import { type Answer, ANSWER, type Ask, type Command, type PartRound, type Settings, type Setup } from './protocol.ts'

/** A process of a variant, as the runner sees it. It ends with this process, however that ends. */
export interface VariantProcess extends AsyncDisposable {
  readonly pid: number
  prepare(round: number): Promise<void>
  /** The timed part. */
  run(round: number, given?: Settings): Promise<PartRound>
  clean(round: number): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

export type VariantProcessOptions = {
  /** A file that calls `serveVariant`. */
  file: URL
  setup: Setup
  /** Kills it. */
  signal: AbortSignal
}

/** What takes longer waits for something that will not come. */
const LONGEST_MS = 180_000

/** Starts a process and sets it up. */
export async function startVariantProcess({ file, setup, signal }: VariantProcessOptions): Promise<VariantProcess> {
  let answered: PromiseWithResolvers<Answer> | undefined
  const child = spawnChild({
    command: process.execPath,
    args: ['--expose-gc', fileURLToPath(file)],
    onLine(line) {
      if (line.startsWith(ANSWER)) answered?.resolve(JSON.parse(line.slice(ANSWER.length)) as Answer)
      else process.stderr.write(`${line}\n`)
    },
  })
  const kill = (): void => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  void child.exited.then(() => answered?.resolve({ failed: `it ended:\n${child.tail.join('\n')}` }))

  async function tell(command: Command, round: number, given?: Settings): Promise<PartRound | null> {
    signal.throwIfAborted()
    answered = Promise.withResolvers<Answer>()
    const ask: Ask = { do: command, round, ...(command === 'setup' && { setup }), ...(given && { given }) }
    child.process.stdin.write(`${JSON.stringify(ask)}\n`)
    const late = setTimeout(() => answered?.resolve({ failed: `no answer within ${LONGEST_MS / 1000} s` }), LONGEST_MS)
    const { done, failed } = child.exit ? { failed: endedAs(child) } : await answered.promise
    clearTimeout(late)
    signal.throwIfAborted()
    if (failed !== undefined) throw new Error(`${nameOf(file)} failed to ${command} (round ${round}): ${failed}`)
    return done ?? null
  }

  const started: VariantProcess = {
    pid: child.pid,
    prepare: async (round) => void (await tell('prepare', round)),
    run: async (round, given) => (await tell('run', round, given))!,
    clean: async (round) => void (await tell('clean', round)),
    async kill() {
      kill()
      await child.exited
    },
    async [Symbol.asyncDispose]() {
      if (!child.exit && !signal.aborted) await tell('close', 0).catch(() => kill())
      signal.removeEventListener('abort', kill)
      await child.stop()
    },
  }
  try {
    await tell('setup', 0)
    return started
  } catch (error) {
    await child.stop({ graceMs: 0 })
    throw error
  }
}

const endedAs = ({ tail, exit }: Child): string => `it ended with ${exit?.code ?? exit?.signal}:\n${tail.join('\n')}`

/** `publish/mesh.ts` */
const nameOf = (file: URL): string => file.pathname.split('/').slice(-2).join('/')
