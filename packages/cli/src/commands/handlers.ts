import { type HandlerChange, type ListedHandler, openOperations, type Operations } from '@malha/operations'
import { type Command, InvalidArgumentError } from 'commander'
import { CliError } from '../cli-error.ts'
import { apart, asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { drawChange, drawHandler, drawHandlers } from '../view/handlers-view.ts'
import { print, screen } from '../view/print.ts'
import { timeOrLength, wholeNumber } from './arguments.ts'

type Json = ConnectOptions & { json?: true }
type Act = Json & { who: string; reason?: string }
type Name = { service: string; handler: string }

/** `malha handlers`: how they stand, and a hand on them while they run. */
export function register(program: Command): void {
  const handlers = program
    .command('handlers')
    .description('the handlers of the mesh: how they stand, pause and resume them, change their limits')
  registerList(handlers)
  registerShow(handlers)
  registerPause(handlers)
  registerResume(handlers)
  registerSet(handlers)
}

function registerList(handlers: Command): void {
  withConnection(handlers.command('list'))
    .description('every handler: what is before it, how old that is, its breaker, who paused it')
    .option('--service <name>', 'of this service alone')
    .option('--json', 'one JSON value: { handlers }')
    .addHelpText(
      'after',
      `
Examples:
  malha handlers list
  malha handlers list --json | jq '.handlers[] | select(.lag.oldestMs > 60000) | .handler'
Exit codes: 0 listed, 1 an error.`,
    )
    .action(async ({ json, service, ...connection }: Json & { service?: string }) => {
      const all = await look(connection)
      const listed = service === undefined ? all : all.filter((one) => one.service === service)
      print(json ? JSON.stringify({ handlers: listed }) : drawHandlers(listed, screen()))
    })
}

function registerShow(handlers: Command): void {
  withConnection(handlers.command('show'))
    .description('one handler, and each instance that runs it')
    .argument('<handler>', 'service/handler, as the list says', handlerName)
    .option('--json', 'the handler as one JSON value')
    .addHelpText('after', '\nExamples:\n  malha handlers show provider/senninha\nExit codes: 0 shown, 1 an error.')
    .action(async ({ service, handler }: Name, { json, ...connection }: Json) => {
      const found = (await look(connection)).find((one) => one.service === service && one.handler === handler)
      if (!found)
        throw new CliError(
          'CLI_INVALID_OPTION',
          `there is no handler ${service}/${handler}; malha handlers list has them`,
        )
      print(json ? JSON.stringify(found) : drawHandler(found, screen()))
    })
}

function registerPause(handlers: Command): void {
  asActor(withConnection(handlers.command('pause')))
    .description('have a handler start nothing more, in every instance; what runs ends as always')
    .argument('<handler>', 'service/handler, as the list says', handlerName)
    .option(
      '--until <time>',
      'a time such as 2026-11-22T18:00:00Z, or a length such as 30m, 2h, 1d; else until it is resumed',
      timeOrLength,
    )
    .option('--json', 'one JSON value: { before, after }')
    .addHelpText(
      'after',
      `
A reason is needed: others will read it.

Examples:
  malha handlers pause provider/senninha --until 2h --reason 'Senninha moves its database'
  malha handlers resume provider/senninha
Exit codes: 0 written down, 1 an error.`,
    )
    .action(async (name: Name, options: Act & { until?: Date | number }, command: Command) => {
      const { until, reason } = options
      if (reason === undefined) command.error("error: say why, with --reason '…'")
      const end = typeof until === 'number' ? { forMs: until } : { until }
      await act(name, options, ({ handlers: all }, told) => all.pause({ ...told, ...end, reason }))
    })
}

function registerResume(handlers: Command): void {
  asActor(withConnection(handlers.command('resume')))
    .description('let a paused handler go on, in every instance')
    .argument('<handler>', 'service/handler, as the list says', handlerName)
    .option('--json', 'one JSON value: { before, after }')
    .addHelpText(
      'after',
      '\nExamples:\n  malha handlers resume provider/senninha\nExit codes: 0 written down, 1 an error.',
    )
    .action((name: Name, options: Act) => act(name, options, ({ handlers: all }, told) => all.resume(told)))
}

function registerSet(handlers: Command): void {
  type Limits = { concurrency?: number | 'declared'; rate?: number | 'none' | 'declared'; burst?: number }
  asActor(withConnection(handlers.command('set')))
    .description('change how much of a handler each instance does at once, and a second')
    .argument('<handler>', 'service/handler, as the list says', handlerName)
    .option('--concurrency <n>', 'messages at once, or "declared": as its service says', (text) =>
      text === 'declared' ? text : wholeNumber(text),
    )
    .option('--rate <n>', 'messages a second, "none", or "declared"', rate)
    .option('--burst <n>', 'of the rate: how many may start at once after a pause', wholeNumber)
    .option('--json', 'one JSON value: { before, after }')
    .addHelpText(
      'after',
      `
Examples:
  malha handlers set provider/senninha --concurrency 4 --rate 10 --reason 'they asked us to'
  malha handlers set provider/senninha --concurrency declared --rate declared
Exit codes: 0 written down, 1 an error.`,
    )
    .action(async (name: Name, options: Act & Limits, command: Command) => {
      const { concurrency, rate: perSecond, burst } = options
      if (concurrency === undefined && perSecond === undefined)
        command.error('error: give --concurrency, --rate or both')
      if (burst !== undefined && typeof perSecond !== 'number') command.error('error: --burst belongs to a --rate <n>')
      const rateLimit = typeof perSecond === 'number' ? { perSecond, ...(burst !== undefined && { burst }) } : perSecond
      await act(name, options, ({ handlers: all }, told) => all.set({ ...told, concurrency, rateLimit }))
    })
}

/** For an onlooker nothing is made. */
async function look(options: ConnectOptions): Promise<ListedHandler[]> {
  await using mesh = await connectToMesh(apart(options).connection)
  using operations = await openOperations(mesh)
  return await operations.handlers.list()
}

async function act(
  name: Name,
  options: Act,
  change: (operations: Operations, told: Name & { who: string; reason: string | undefined }) => Promise<HandlerChange>,
): Promise<void> {
  const { connection, rest } = apart(options)
  const { who, reason, json } = rest
  await using mesh = await connectToMesh(connection, { acts: true })
  using operations = await openOperations(mesh)
  const changed = await change(operations, { ...name, who, reason })
  print(json ? JSON.stringify(changed) : drawChange(name, changed, screen()))
}

function handlerName(text: string): Name {
  const [service = '', handler = '', ...more] = text.split('/')
  if (service === '' || handler === '' || more.length > 0)
    throw new InvalidArgumentError('a service and its handler, e.g. provider/senninha')
  return { service, handler }
}

function rate(text: string): number | 'none' | 'declared' {
  if (text === 'none' || text === 'declared') return text
  const perSecond = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || perSecond <= 0)
    throw new InvalidArgumentError('messages a second, e.g. 50 or 0.5; "none" or "declared"')
  return perSecond
}
