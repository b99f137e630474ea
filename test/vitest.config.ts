import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Where tests live: beside a package's `src` in its `test` folder, cross-package ones in `/test`. The suffix is the tier. */
const at = (suffix: string): string[] => [
  `packages/*/test/**/*${suffix}`,
  `packages/services/*/test/**/*${suffix}`,
  `test/**/*${suffix}`,
]

const INTEGRATION = ['**/*.int.test.ts', '**/*.e2e.test.ts', '**/*.long.test.ts']

export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: { name: 'unit', include: at('.test.ts'), exclude: ['**/node_modules/**', ...INTEGRATION] },
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
        test: { name: 'int', include: at('.int.test.ts'), testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        root,
        test: { name: 'e2e', include: at('.e2e.test.ts'), testTimeout: 900_000, hookTimeout: 120_000 },
      },
      {
        root,
        test: { name: 'long', include: at('.long.test.ts'), testTimeout: 900_000, hookTimeout: 120_000 },
      },
    ],
  },
})
