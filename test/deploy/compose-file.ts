import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** What the tests read of a service of compose.yaml. */
export type ComposeService = {
  readonly image: string
  readonly build?: { readonly target: string; readonly dockerfile: string; readonly args: { readonly VERSION: string } }
  readonly init?: boolean
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: readonly string[]
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly stop_grace_period?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly privileged?: boolean
}

export type ComposeFile = {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

export const root: string = fileURLToPath(new URL('../..', import.meta.url))
export const composePath: string = `${root}deploy/compose/compose.yaml`

/** As Compose reads it: with what is merged into each service. */
export function readCompose(): ComposeFile {
  return parse(readFileSync(composePath, 'utf8'), { merge: true }) as ComposeFile
}

/** Built from our Dockerfile. */
export const isOurs = ({ image }: ComposeService): boolean => image.startsWith('malha/')

/** The target of our Dockerfile that a service is made of, by the name of its image. */
export const targetOf = ({ image }: ComposeService): string => /^malha\/([a-z-]+):/.exec(image)![1]!
