import { rm } from 'node:fs/promises'
import { eventually } from '@malha/testing'
import { openOperations } from '@malha/operations'
import { connectMesh } from '@malha/mesh'
import { describe, expect, test } from 'vitest'
import { registerCenters } from '../kills/centers.ts'
import { setFault } from '../kills/evidence.ts'
import { referenceMesh } from '../kills/reference-mesh.ts'
import { findTool } from './binaries.ts'
import { metricsOf } from './promql.ts'
import { startPrometheus } from './prometheus.ts'

const bin = findTool('prometheus')
/** A quarter of an hour is three seconds. */
const SCALE = 1 / 300

describe.skipIf(bin === undefined)('alerts of a running mesh', () => {
  test('fire while a real fault lasts, and end with it', { timeout: 120_000 }, async () => {})
})
