import { openOperations } from '@malha/operations'
import { type Command, Option } from 'commander'
import { stringify } from 'yaml'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { print } from '../view/print.ts'

type DescribeOptions = ConnectOptions & { format: 'yaml' | 'json'; json?: true }

/** `malha describe`: the running mesh as AsyncAPI. */
export function register(program: Command): void {
  withConnection(program.command('describe'))
    .description(
      'the running mesh as an AsyncAPI 3 document: channels, messages with their schemas, who sends and receives',
    )
    .addOption(new Option('--format <format>', 'of the document').choices(['yaml', 'json']).default('yaml'))
    .option('--json', 'one JSON value: the document')
    .addHelpText(
      'after',
      `
It says what services said of themselves at their last start (malha contracts list).

Examples:
  malha describe > asyncapi.yaml
  malha describe --json --context production | jq '.channels | keys'
Exit codes: 0 written, 1 an error.`,
    )
    .action(async ({ format, json, ...connection }: DescribeOptions) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const document = await operations.contracts.describe()
      if (json) print(JSON.stringify(document))
      else if (format === 'json') print(JSON.stringify(document, null, 2))
      else print(stringify(document, { aliasDuplicateObjects: false }).trimEnd())
    })
}
