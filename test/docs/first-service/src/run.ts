export { run } from '../../../../packages/telemetry/test/docs/main.ts'
