import Table from 'cli-table3'
import type { ListedContext } from '../connection/context.ts'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { visible } from './visible.ts'

/** One row a context. */
export function drawContexts(contexts: readonly ListedContext[], { colors }: Screen): string {
  if (contexts.length === 0)
    return 'No contexts. The nats command makes them: nats context add <name> --server … --creds …'
  const table = new Table({ ...tableStyle(colors), head: ['context', 'server', 'as', 'namespace', 'what'] })
  for (const { name, servers, by, namespace, description, fault } of contexts)
    table.push(
      [name, servers, by, namespace ?? '', fault === null ? description : `cannot be used: ${fault}`].map((text) =>
        visible(text),
      ),
    )
  return table.toString()
}
