/**
 * Judges a saved run again: `node test/chaos/check.ts <folder> [--json]`. Exits with 0 when every rule holds, with 1 when one
 * does not.
 */
import { parseArgs } from 'node:util'
import { checkSaved } from './checker/check-saved.ts'
import { describeVerdict } from './checker/describe-verdict.ts'

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true })
const [folder] = positionals
if (folder === undefined) throw new Error('say which run to check: the folder that `malha chaos` named when it ended')
const verdict = checkSaved(folder)
process.stdout.write(values.json ? `${JSON.stringify(verdict)}\n` : describeVerdict(verdict))
process.exitCode = verdict.holds ? 0 : 1
