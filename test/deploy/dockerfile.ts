import { readFileSync } from 'node:fs'
import { Copy, DockerfileParser, type Instruction, PropertyInstruction } from 'dockerfile-ast'
import { root } from './compose-file.ts'

export const dockerfilePath: string = `${root}deploy/images/Dockerfile`

/** A stage with what it takes over from the one it is from. */
export type Stage = {
  readonly name: string
  /** The name of the stage, or the image, it is from. */
  readonly from: string
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly user: string | undefined
  /** What a container runs, in the form without a shell. */
  readonly command: readonly string[]
  /** The target that assemble.sh puts together for it. */
  readonly assembled: string | undefined
}

/** The stages by their names. */
export function readDockerfile(): ReadonlyMap<string, Stage> {
  const file = DockerfileParser.parse(readFileSync(dockerfilePath, 'utf8'))
  const stages = new Map<string, Stage>()
  let stage: Stage | undefined
  for (const instruction of file.getInstructions()) {
    if (instruction.getKeyword() === 'FROM') stage = begun(instruction, stages)
    else if (stage) stage = { ...stage, ...changeOf(instruction, stage, stages) }
    if (stage) stages.set(stage.name, stage)
  }
  return stages
}

function begun(instruction: Instruction, stages: ReadonlyMap<string, Stage>): Stage {
  const [from = '', , name = ''] = argumentsOf(instruction)
  const parent = stages.get(from) ?? { env: {}, labels: {}, user: undefined, command: [] }
  return { ...parent, name, from, assembled: undefined }
}

function changeOf(instruction: Instruction, stage: Stage, stages: ReadonlyMap<string, Stage>): Partial<Stage> {
  const text = instruction.getArgumentsContent() ?? ''
  switch (instruction.getKeyword()) {
    case 'ENV':
      return { env: { ...stage.env, ...pairsOf(instruction) } }
    case 'LABEL':
      return { labels: { ...stage.labels, ...pairsOf(instruction) } }
    case 'USER':
      return { user: text }
    case 'ENTRYPOINT':
      return { command: JSON.parse(text) as string[] }
    case 'CMD':
      // After an entry point its arguments.
      return { command: [...stage.command, ...(JSON.parse(text) as string[])] }
    case 'RUN':
      return { assembled: /assemble\.sh (\S+) \/app$/.exec(text)?.[1] ?? stage.assembled }
    case 'COPY':
      return { assembled: stages.get(sourceOf(instruction) ?? '')?.assembled ?? stage.assembled }
    default:
      return {}
  }
}

/** The stage that files are copied from. */
const sourceOf = (instruction: Instruction): string | null | undefined =>
  instruction instanceof Copy ? instruction.getFromFlag()?.getValue() : undefined

function pairsOf(instruction: Instruction): Record<string, string> {
  const pairs = instruction instanceof PropertyInstruction ? instruction.getProperties() : []
  return Object.fromEntries(pairs.map((pair) => [pair.getName(), pair.getValue() ?? '']))
}

const argumentsOf = (instruction: Instruction): string[] => instruction.getArguments().map((one) => one.getValue())
