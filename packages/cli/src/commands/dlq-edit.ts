import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { type AnyContract, isDeclared } from '@malha/mesh'
import type { Operations } from '@malha/operations'
import type { Command } from 'commander'
import { asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { openIndexed } from '../connection/open-indexed.ts'
import { loadContracts } from '../contracts/load-contracts.ts'
import { editText } from '../letters/editor.ts'
import { followRun } from '../runs/follow-run.ts'
import { drawChanges } from '../view/letters-view.ts'
import { print, screen } from '../view/print.ts'
import { say } from '../view/say.ts'
import { visible } from '../view/visible.ts'
import { wholeNumber } from './arguments.ts'

type EditOptions = ConnectOptions & {
  payloadFile?: string
  contracts?: string
  redrive: boolean
  json?: true
  who: string
  reason?: string
}

/** `malha dlq edit`. */
export function registerEdit(dlq: Command): void {
  asActor(withConnection(dlq.command('edit')))
    .description('correct the payload of an open letter, and send it to its handler again')
    .argument('<letter>', 'its number, as the list says', wholeNumber)
    .option('--payload-file <file>', 'what to send instead, - for stdin; without it VISUAL or EDITOR is opened')
    .option('--contracts <module>', 'check it by the contracts that this module exports, too')
    .option('--no-redrive', 'only correct it; a redrive sends it as it is then')
    .option('--json', 'one JSON value: { letter, changes, checkedBy, run }')
    .addHelpText(
      'after',
      `
The letter stays as it is; what was changed is written down as a JSON Patch, with who and why. It is checked by what the services said of its
type and version, where one said it; by --contracts, where that is given; and by its handler.

Examples:
  malha dlq edit 17 --reason 'the city was misspelt'
  malha dlq show 17 --json | jq '.payload | fromjson | .city.name = "Santos"' | malha dlq edit 17 --payload-file - --reason 'misspelt'
Exit codes: 0 it is corrected, and handled, 1 an error, 3 it failed again or the run is not over.`,
    )
    .action(async (letter: number, options: EditOptions) => {
      const { payloadFile, contracts: module, redrive, json, who, reason = '' } = options
      const contracts = module === undefined ? undefined : await eventContracts(module)
      await using mesh = await connectToMesh(options, { acts: true })
      using operations = await openIndexed(mesh)
      const payload = await newPayload(operations, letter, payloadFile)
      const edited = await operations.letters.edit(letter, { payload, contracts, who, reason })
      if (!json) {
        print(drawChanges(edited.changes, screen()))
        if (edited.checkedBy === null)
          say('no service said the contract of its type and version: its handler checks it')
        else say(`it fits ${visible(edited.checkedBy)}, as the services said it`)
      }
      if (!redrive) {
        if (json) print(JSON.stringify({ ...edited, run: null }))
        else say(`letter ${letter} is sent like this from now on; malha dlq redrive --letter ${letter}`)
        return
      }
      const { id } = await operations.runs.redrive({ filter: { letters: [letter] }, who, reason })
      await followRun(operations.runs, id, { json, who, reason, also: edited })
    })
}

async function newPayload(operations: Operations, letter: number, file: string | undefined): Promise<string> {
  if (file === '-') return await readAll(process.stdin)
  if (file !== undefined) return await readFile(file, 'utf8')
  const now = Buffer.from(await operations.letters.payloadToSend(letter)).toString()
  return await editText(indented(now))
}

function indented(payload: string): string {
  try {
    return `${JSON.stringify(JSON.parse(payload), null, 2)}\n`
  } catch {
    return payload
  }
}

async function eventContracts(module: string): Promise<AnyContract[]> {
  const contracts = await loadContracts(module)
  return contracts.filter((one): one is AnyContract => isDeclared(one, 'event', 'command'))
}
