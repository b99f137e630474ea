import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'

/**
 * Opens a text in the user's editor, and returns what it is when that ends. Nobody else can read the file, which is gone then.
 * @throws CliError CLI_INVALID_OPTION
 */
export async function editText(text: string): Promise<string> {
  const editor = process.env['VISUAL'] || process.env['EDITOR']
  if (!editor || !process.stdin.isTTY)
    throw new CliError(
      'CLI_INVALID_OPTION',
      `${editor ? 'this is no terminal' : 'neither VISUAL nor EDITOR is set'}; give the payload with --payload-file`,
    )
  const folder = await mkdtemp(join(tmpdir(), 'malha-edit-'))
  const file = join(folder, 'payload.json')
  try {
    await writeFile(file, text, { mode: 0o600 })
    // With its arguments, as git does: `code --wait`.
    const child = spawn(`${editor} "${file}"`, { shell: true, stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0)
      throw new CliError('CLI_INVALID_OPTION', `${editor} ended with ${code ?? 'a signal'}; nothing was changed`)
    return await readFile(file, 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
