import type { z } from 'zod'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem, type Fault } from './problem.ts'

/** The schemas of a route's request. */
export type RequestSchemas = { body?: z.ZodType; headers?: z.ZodType; querystring?: z.ZodType; params?: z.ZodType }

const PARTS = [
  ['path', 'params'],
  ['query', 'querystring'],
  ['header', 'headers'],
  ['body', 'body'],
] as const

/** What a route needs to have all parts of its requests checked by {@link checkRequest}, and not once more by the framework. */
export function checked(schemas: RequestSchemas) {
  return {
    preValidation(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
      try {
        checkRequest(schemas, request)
      } catch (error) {
        done(error as Error)
        return
      }
      done()
    },
    validatorCompiler: () => () => true,
  }
}

/**
 * Checks all parts of a request, where the framework stops at the first with a fault, and leaves in each what its schema
 * makes of it.
 * @throws Problem with every fault: 400 when one is outside the body (syntax), else 422
 */
function checkRequest(schemas: RequestSchemas, request: FastifyRequest): void {
  const faults: Fault[] = []
  for (const [part, name] of PARTS) {
    const place = name === 'querystring' ? 'query' : name
    const result = schemas[name]?.safeParse(request[place])
    if (result?.error) faults.push(...result.error.issues.flatMap((issue) => faultsOf(part, issue)))
    else if (result) Object.assign(request, { [place]: result.data })
  }
  if (faults.length === 0) return
  const many = faults.length === 1 ? 'the fault' : `the ${faults.length} faults`
  const kind = faults.every((fault) => fault.in === 'body') ? 'invalid-body' : 'invalid-request'
  throw new Problem(kind, `Correct ${many} listed in \`errors\` and send the request again.`, { faults })
}

type Issue = z.core.$ZodIssue

function faultsOf(part: Fault['in'], issue: Issue): Fault[] {
  const at = (path: readonly PropertyKey[], message: string): Fault => ({ in: part, pointer: pointerOf(path), message })
  if (issue.code === 'unrecognized_keys')
    return issue.keys.slice(0, 20).map((key) => at([...issue.path, key.slice(0, 64)], 'unknown field'))
  return [at(issue.path, messageOf(issue))]
}

function messageOf(issue: Issue): string {
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('undefined'))
    return 'is required'
  return issue.message
}

/** RFC 6901. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
