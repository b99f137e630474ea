import { type Command, InvalidArgumentError, Option } from 'commander'
import { choosePorts, optionOf, portNames, type Ports, portTable } from './ports.ts'

export type PortChoice = 'default' | 'random'

/** Adds `--ports` and one flag a port. */
export function addPortOptions(command: Command, otherwise: PortChoice): void {
  const how = new Option('--ports <how>', 'which ports are taken where no flag says').choices(['default', 'random'])
  command.addOption(how.default(otherwise))
  for (const name of portNames) {
    const { flag, what, port } = portTable[name]
    const otherwisePort = otherwise === 'default' ? `, default ${port}` : ''
    command.option(`${flag} <port>`, `port for ${what}${otherwisePort}`, parsePort)
  }
}

/** Ports as the options of `addPortOptions` say. */
export async function portsFrom(options: Readonly<Record<string, unknown>>): Promise<Ports> {
  const given: Partial<Ports> = {}
  for (const name of portNames) {
    const port = options[optionOf(name)]
    if (typeof port === 'number') given[name] = port
  }
  return choosePorts(given, options['ports'] === 'random')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new InvalidArgumentError('a port is 1 to 65535')
  return port
}
