import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { CliError } from '../cli-error.ts'

const run = promisify(execFile)
const MOST_BYTES = 64 * 1024 ** 2

/**
 * A snapshot from a file, or as git has one: `main:contracts.json`.
 * @throws CliError CLI_INVALID_OPTION
 */
export async function readReleased(from: string): Promise<unknown> {
  const isAtGit = !existsSync(from) && /^[^-:\s][^:\s]*:[^:]+$/.test(from)
  const text = await (isAtGit ? atGit(from) : readFile(from, 'utf8')).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message.trim() : String(cause)
    throw new CliError('CLI_INVALID_OPTION', `what is released cannot be read from ${from}: ${why}`, { cause })
  })
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new CliError('CLI_INVALID_OPTION', `${from} is no JSON; malha contracts snapshot writes it`, { cause })
  }
}

async function atGit(object: string): Promise<string> {
  const { stdout } = await run('git', ['show', '--end-of-options', object], { maxBuffer: MOST_BYTES })
  return stdout
}
