import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Where tests live: beside a package's `src` in its `test` folder, cross-package ones in `/test`. The suffix is the tier. */
const at = (suffix: string): string[] => [
  `packages/*/test/**/*${suffix}`,
  `packages/services/*/test/**/*${suffix}`,
  `test/**/*${suffix}`,
]

const INTEGRATION = ['**/*.int.test.ts', '**/*.e2e.test.ts', '**/*.long.test.ts']

/** Begun first, so that no worker is left alone with one of them at the end. */
const LONGEST = [
  'conformance/cluster',
  'chaos.e2e',
  'rounds.e2e',
  'forgetful',
  'partner-trouble',
  'conformance/single',
  'faults/rolling',
  'deploy/mesh',
  'operate/contracts',
  'up.e2e',
  'deploy/images',
  'faults/crashes',
  'faults/kills',
  'operate/redrive',
  'chaos/stop-early',
  'demo.e2e',
  'city-registration/test/process',
  'browser/looks',
  'recovery/rebuild',
  'far-leader',
  'outage.int',
  'queued.int',
  'consume/leak',
  'delay/survival',
  'remade-stream',
  'ordered/takeover',
  'outbox-postgres/test/cluster',
  'doctor/cluster',
  'delay/volume',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((name) => moduleId.includes(name))
      return found === -1 ? LONGEST.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  root,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        test: {
          name: 'unit',
          // A test file leaves nothing behind in its process; loading all modules for each file was a third of the time.
          isolate: false,
          include: at('.test.ts'),
          exclude: ['**/node_modules/**', ...INTEGRATION],
        },
      },
      {
        root,
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: at('.test-d.ts'), tsconfig: `${root}/tsconfig.json` },
        },
      },
      {
        root,
        test: { name: 'int', isolate: false, include: at('.int.test.ts'), testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        root,
        // As above; here it was a fourteenth of the time, as most files load all of the mesh.
        test: { name: 'e2e', isolate: false, include: at('.e2e.test.ts'), testTimeout: 900_000, hookTimeout: 120_000 },
      },
      {
        root,
        test: { name: 'long', include: at('.long.test.ts'), testTimeout: 900_000, hookTimeout: 120_000 },
      },
    ],
  },
})
