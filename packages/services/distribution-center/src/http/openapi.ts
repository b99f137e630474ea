import Fastify, { type FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { schemaController } from './schema-compilers.ts'

/**
 * The OpenAPI 3.1 document of the routes that `declare` declares. They are declared once more, on a server that never
 * listens, so that a process which nobody asks for it does not load what makes it.
 */
export async function openApiDocument(declare: (app: FastifyInstance) => void, version: string): Promise<object> {
  const { default: swagger } = await import('@fastify/swagger')
  await using app = Fastify({ schemaController })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Distribution centres',
        version,
        description:
          'Registers distribution centres and tells how far their onboarding at the partner systems is. What cannot be read (malformed JSON, headers, query, path) is 400; a body that can be read and does not fit is 422. Every error is a problem (RFC 9457) that names all faults at once.',
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document) as Document) as never,
  })
  await app.register(async (routes) => declare(routes))
  await app.ready()
  return app.swagger()
}

type Document = { paths?: unknown; components?: { schemas?: Record<string, unknown> } }

/** The library names each schema twice, as input and as output; what nothing refers to only puzzles the reader. */
function withoutUnused(document: Document): Document {
  const schemas = document.components?.schemas ?? {}
  const used: Record<string, unknown> = {}
  const visit = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part ?? {}).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (name === undefined || name in used || !(name in schemas)) continue
      used[name] = schemas[name]
      visit(schemas[name])
    }
  }
  visit(document.paths)
  return { ...document, components: { ...document.components, schemas: used } }
}
