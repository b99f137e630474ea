import { execFile } from 'node:child_process'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findNatsServer } from '@malha/stack'
import { eventually } from '@malha/testing'
import type { Journal } from './disk-op.ts'
import { readJournal, TRACED } from './journal.ts'
import { isWhole, readCallsFile } from './strace-calls.ts'

/** Larger than any single write: a string that is cut short is an error. */
const STRING_BYTES = 16 * 1024 ** 2

/** The tracer is nobody's child (`-DD`), so that the process keeps its pid and its parent, and may be killed alone. */
export function straceArgs(file: string): string[] {
  const trace = TRACED.join(',')
  return ['-DD', '-f', '--seccomp-bpf', '-ttt', '-T', '-y', '-s', `${STRING_BYTES}`, '-e', `trace=${trace}`, '-o', file]
}

/** @throws Error with how to get it */
export async function needStrace(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('power loss is measured with strace, and so on Linux only')
  const said = await promisify(execFile)('strace', ['--version']).catch(() => undefined)
  const version = /version (\d+\.\d+)/.exec(said?.stdout ?? '')?.[1]
  if (version === undefined || Number(version) < 5.3)
    throw new Error(
      'strace 5.3 or later is needed: apt-get install strace (Debian, Ubuntu), dnf install strace (Fedora), apk add strace (Alpine); in a container it also needs the capability SYS_PTRACE',
    )
}

/**
 * An environment in which nats-servers that are started have a journal: of `<dataDir>` in `<dataDir>.strace`.
 * @param folder where the command is written that stands for the server
 */
export async function tracedNatsEnv(folder: string): Promise<NodeJS.ProcessEnv> {
  await needStrace()
  const { path } = await findNatsServer()
  const command = join(folder, 'traced-nats-server')
  const args = straceArgs('"${2%/*}.strace"').map((arg) => (arg.startsWith('"') ? arg : `'${arg}'`))
  const script = [
    '#!/bin/sh',
    `[ "$1" = -c ] || exec '${path}' "$@"`,
    `exec strace ${args.join(' ')} -- '${path}' "$@"`,
  ]
  await writeFile(command, `${script.join('\n')}\n`, { mode: 0o755 })
  return { ...process.env, NATS_SERVER_BIN: command }
}

/**
 * The journal of a process that has ended.
 * @param folder the one it kept its data in, which was not there before
 */
export async function journalOf(file: string, folder: string): Promise<Journal> {
  await eventually(async () => isWhole(await ends(file)), { timeoutMs: 60_000, intervalMs: 100 })
  const calls = await readCallsFile(file)
  return readJournal(calls, folder)
}

/** The first and the last bytes of a file. */
async function ends(file: string): Promise<string> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const [first, last] = [Buffer.alloc(64), Buffer.alloc(4096)]
    await handle.read(first, 0, first.length, 0)
    const { bytesRead } = await handle.read(last, 0, last.length, Math.max(0, size - last.length))
    return `${first.toString('latin1').split('\n')[0]}\n${last.toString('latin1', 0, bytesRead)}`
  } finally {
    await handle.close()
  }
}
